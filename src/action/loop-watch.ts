/** What the runner tells of its commands, so that what they do does not set off the rules that they are of. */
import { latin1 } from "../../ffi/bytes.ts";
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { Log } from "../log.ts";
import { noFamily } from "../family/family.ts";
import { type RuleTriggers, sift, type Trigger } from "../reader/trigger.ts";
import type { Rule } from "../rule/rule.ts";
import type { CommandFamilies } from "./family-watch.ts";
import { LoopGuard } from "./loop-guard.ts";
import type { ReadUp } from "./busy.ts";
import type { Cause, PastRun, WindowStart } from "./run-history.ts";

export interface LoopWatchOptions {
  readonly log: Log;
  readonly families: CommandFamilies;
  readonly readUp: ReadUp;
  /** Run the rule for this trigger, which waited while the rule was suspended. */
  readonly release: (rule: Rule, trigger: Trigger) => void;
  /** A command of the rule did it itself: it is not followed. */
  readonly onOwn: (rule: Rule, trigger: Trigger) => void;
  /** It waited, and a later one for its path stands for it: it is not followed. */
  readonly onSuperseded: (trigger: Trigger) => void;
}

/** Triggers that wait and were caused by runs: with more of them than this, the oldest count as from outside. */
const causesMax = 100_000;
/** What a command leaves in its group may do its work for so long after its end. */
const lingerMs = 10_000;
const lookEveryMs = 50;
/** A question and its answer cost some 50 us on two threads: in a burst one serves for many ends. */
const askEveryMs = 20;
/** So old an answer may be in a burst. */
const freshMs = 2 * askEveryMs;
/** Commands that run besides: with more of them it is a burst. */
const fewRunning = 4;

/** A command that is about to be started. */
export interface Begin {
  /** CLOCK_REALTIME in microseconds. */
  readonly startedAt: number;
  /** Absent: `startedAt` is enough. */
  readonly from?: WindowStart;
}

export interface EndedRun {
  /** What `began` has given. */
  readonly past: PastRun | null;
  /** Nothing of its group is left. */
  readonly isGone: boolean;
}

export class LoopWatch {
  readonly #options: LoopWatchOptions;
  readonly #guard: LoopGuard;
  /** By rule and line: of triggers that were caused by runs and have not been run. */
  readonly #causes = new Map<string, readonly Cause[]>();
  /** Runs that have ended, and whose records the reader may not have read. */
  #over: PastRun[] = [];
  #isAsking = false;
  /** performance.now() */
  #askedAt = -Infinity;
  /** Of the last answer: the line, and performance.now(). */
  #answeredSeq = 0;
  #answeredAt = -Infinity;
  #hasBegun = false;
  #running = 0;
  /** There are triggers of which the kernel names no process: what comes after an end is to be told apart soon. */
  #namesNobody = false;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    const later = (ms: number, then: () => void): void => void setTimeout(then, ms).unref();
    const { log, release, onSuperseded } = options;
    const now = (): number => performance.now();
    this.#guard = new LoopGuard({ log, now, later, release, onSuperseded });
  }

  /** On how many paths rules are suspended, by their names. */
  get suspended(): ReadonlyMap<string, number> {
    return this.#guard.suspended;
  }

  /** Nothing waits for time to pass any longer. */
  flush(): void {
    this.#guard.flush();
  }

  /** The triggers that are to be followed: to be asked when they come, and not when their turn does. */
  admit(rule: Rule, triggers: RuleTriggers): RuleTriggers {
    if (!this.#hasBegun) return triggers; // no command has run yet
    const { isSuspending } = this.#guard;
    const isSure = (family: number): boolean => family === noFamily && !isSuspending;
    return sift(triggers, { isSure, keeps: (trigger) => this.#keeps(rule, trigger) });
  }

  #keeps(rule: Rule, trigger: Trigger): boolean {
    const judged = this.#guard.judge(rule, trigger, latin1(trigger.path));
    if (judged.verdict === "own") this.#options.onOwn(rule, trigger);
    if (judged.verdict !== "run") return false;
    if (judged.causes.length > 0) {
      if (this.#causes.size >= causesMax) this.#causes.delete(this.#causes.keys().next().value!);
      this.#causes.set(causeKey(rule, trigger.seq), judged.causes);
    }
    return true;
  }

  /** To be called right before a command is started; then `began` or `failed`. */
  begin(triggers: Iterable<Trigger>): Begin {
    this.#options.families.begin();
    const startedAt = nowMicroseconds();
    for (const { pid, synthetic } of triggers)
      if (pid === 0 && synthetic === null) return { startedAt, from: this.#windowStart() };
    return { startedAt };
  }

  /**
   * Where nobody tells who does what (inotify): what has happened by now, and may still be queued, is not
   * the command's doing. The command needs longer for its first step than the reader for the answer; if
   * the reader is busy it runs once more rather than that somebody's event is lost. In a burst an answer
   * of a moment ago has to do.
   */
  #windowStart(): WindowStart {
    this.#namesNobody = true;
    const isFresh = performance.now() - this.#answeredAt < freshMs;
    if (this.#running >= fewRunning && isFresh) return { seq: this.#answeredSeq };
    const from: { seq: number | null } = { seq: null };
    this.#readUp((seq) => void (from.seq = seq));
    return from;
  }

  #readUp(then: (seq: number) => void): void {
    this.#options.readUp((seq) => {
      this.#answeredSeq = seq;
      this.#answeredAt = performance.now();
      then(seq);
    });
  }

  failed(): void {
    this.#options.families.end();
  }

  /** @returns for `ended` */
  began(rule: Rule, pid: number, triggers: Iterable<Trigger>, begin: Begin): PastRun {
    this.#hasBegun = true;
    this.#running++;
    const { startedAt, from } = begin;
    const paths = pathsOf(triggers);
    const causes = this.#causes.size === 0 ? noCauses : this.#causesOf(rule, triggers);
    return this.#guard.began({ rule: rule.name, paths, pid, startedAt, from, causes });
  }

  #causesOf(rule: Rule, triggers: Iterable<Trigger>): Cause[] {
    const causes: Cause[] = [];
    for (const { seq } of triggers) causes.push(...(this.#causes.get(causeKey(rule, seq)) ?? []));
    return causes;
  }

  /** The command's first process has ended. */
  ended(run: EndedRun): void {
    this.#options.families.end();
    this.#running--;
    this.#closeWhenGone(run, performance.now() + lingerMs);
  }

  #closeWhenGone(run: EndedRun, deadline: number): void {
    if (run.isGone || performance.now() > deadline) return this.#close(run.past);
    setTimeout(() => this.#closeWhenGone(run, deadline), lookEveryMs).unref();
  }

  /** One question at a time serves for all that ended before it. */
  #close(past: PastRun | null): void {
    if (past !== null) this.#over.push(past);
    if (!this.#isAsking) this.#askSoon();
  }

  #askSoon(): void {
    if (this.#over.length === 0) return;
    this.#isAsking = true;
    const pauseMs = this.#namesNobody && this.#running < fewRunning ? 0 : askEveryMs;
    const waitMs = this.#askedAt + pauseMs - performance.now();
    if (waitMs <= 0) this.#ask();
    else setTimeout(() => this.#ask(), waitMs).unref();
  }

  #ask(): void {
    const asked = this.#over;
    this.#over = [];
    this.#askedAt = performance.now();
    this.#readUp((seq) => {
      this.#isAsking = false;
      for (const past of asked) this.#guard.readUpAfter(past, seq);
      this.#askSoon();
    });
  }
}

const noCauses: readonly Cause[] = [];

function causeKey(rule: Rule, seq: number): string {
  return `${seq} ${rule.name}`;
}

/** As latin1, each once, with the old paths of renames. */
function pathsOf(triggers: Iterable<Trigger>): string[] {
  const paths: string[] = [];
  for (const { path, from } of triggers) {
    paths.push(latin1(path));
    if (from.length > 0) paths.push(latin1(from));
  }
  return paths.length === 1 ? paths : [...new Set(paths)];
}
