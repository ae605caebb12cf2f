/** What could not be watched as its rule has it: collected here, then said in the log, or thrown at the start. */
import type { SyscallError } from "../../ffi/errno.ts";
import { WatchError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import type { Refusal } from "../watch/joint-backend.ts";
import type { Ladder } from "../watch/ladder.ts";
import { isLimit, whoseLimit } from "../watch/limits.ts";
import { Shortages, shortageText } from "./shortages.ts";

export class Refusals {
  readonly #log: Log;
  readonly #ladder: Ladder;
  readonly #shortages = new Shortages();
  /** What is wrong with some path and is not said yet. */
  #unsaid: string[] = [];
  /** Each thing that was wrong under this plan. */
  #failed = new Set<string>();
  /** Paths of rules that a limit of the kernel keeps from being watched. */
  #refused: Refusal[] = [];

  constructor(ladder: Ladder, log: Log) {
    this.#ladder = ladder;
    this.#log = log;
  }

  /** Of a new plan nothing is known yet. */
  beginPlan(): void {
    this.#failed = new Set();
    this.#refused = [];
    this.#shortages.clear();
  }

  /** What was not said until now never will be. */
  beginFollow(): void {
    this.#unsaid = [];
  }

  /** A path cannot be watched. @param why a whole sentence, said once under a plan */
  fail(why: string): void {
    if (this.#failed.has(why)) return;
    this.#failed.add(why);
    this.#unsaid.push(why);
  }

  /** A limit of the kernel keeps the path of a rule from being watched. */
  refuse(path: Uint8Array, error: SyscallError): void {
    const refusal = { path, error, servedBy: null };
    this.#refused.push(refusal);
    this.noteLimit(refusal);
  }

  /** It is said, counted with all others that reach the same limit, by `sayRefusals`. */
  noteLimit(refusal: Refusal): void {
    this.#shortages.note(refusal);
  }

  /** A backend does not take a path, and another serves it, or none. */
  fall(refusal: Refusal): void {
    if (isLimit(refusal.error)) this.noteLimit(refusal);
    else this.#log.warn(fallText(refusal));
  }

  /** @throws {WatchError} about the first path that cannot be watched, if there is one */
  throwFirst(): void {
    const [text] = this.#unsaid;
    if (text !== undefined) throw new WatchError(text);
    const [refusal] = this.#refused;
    if (refusal === undefined) return;
    const watched = this.#ladder.marksOf(whoseLimit(refusal.error));
    throw new WatchError(shortageText({ ...refusal, count: this.#refused.length }, watched));
  }

  sayFailures(): void {
    for (const failure of this.#unsaid) this.#log.warn(failure);
  }

  /** What was found to be refused since the last time: to be called when all is walked. */
  sayRefusals(): void {
    for (const joint of this.#ladder.opened)
      for (const refusal of joint.takeRefusals()) this.fall(refusal);
    this.#shortages.say(this.#log, (name) => this.#ladder.marksOf(name), this.unwatched);
  }

  /** Paths of rules that could not be watched. */
  get failed(): number {
    return this.#failed.size + this.#refused.length;
  }

  /** Those that a limit keeps from being watched, and directories below others. */
  get unwatched(): number {
    return this.#refused.length + this.#ladder.unwatched;
  }
}

/** Where the log says that a filesystem has to do with the rung below. */
function fallText({ path, error, servedBy }: Refusal): string {
  const why = `fanotify cannot name files on this filesystem (${error.message})`;
  return servedBy === null
    ? `Cannot watch ${quoted(path)}: ${why}`
    : `Using ${servedBy} for ${quoted(path)}: ${why}`;
}
