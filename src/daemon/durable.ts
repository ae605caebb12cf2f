/** Triggers of durable rules go through the journal, and come back when they are on the disk. */
import { defaultStateDir } from "../config/source.ts";
import { Journal } from "../journal/journal.ts";
import type { CatchUpWish, JournalCounts } from "../journal/messages.ts";
import { placeOf } from "../journal/place.ts";
import { type Log, quoted } from "../log.ts";
import { triggersByRule } from "../reader/trigger.ts";
import { eventBits } from "../event.ts";
import { Question } from "./question.ts";
import type { JournalInStatus } from "./status-document.ts";
import { eventsOf, type Rule } from "../rule/rule.ts";

/** What a look at the files finds again: see `watch/recovery.ts`. */
const foundEvents =
  eventBits.create | eventBits.modify | eventBits.close_write | eventBits.moved_to;

/** Where journals are kept, and what reads and writes them. */
export interface JournalSource {
  /** The worker's file. */
  readonly url: URL;
  /** What the journal is called after: absolute paths. */
  readonly configuration: readonly string[];
}

export interface DurableOptions {
  readonly source: JournalSource;
  readonly log: Log;
  /** These may be run. */
  readonly run: (rules: readonly Rule[], buffer: ArrayBuffer, count: number) => void;
  /** So many triggers are there that the reader has not sent. */
  readonly onMore: (count: number) => void;
  /** So many of those that it has sent need no run. */
  readonly onFewer: (count: number) => void;
  /** The thread ended without having been asked to. */
  readonly onDeath: (reason: string) => void;
}

export class Durable {
  readonly #options: DurableOptions;
  #journal: Journal<readonly Rule[]> | null = null;
  #stateDir = "";
  readonly #durable = new WeakMap<readonly Rule[], ReadonlySet<number>>();
  /** Triggers that the journal has not given back. */
  #pending = 0;
  #whenStored: (() => void)[] = [];
  readonly #question = new Question(() => this.#journal!.count());
  #counts: JournalCounts | null = null;
  #isClosing = false;

  constructor(options: DurableOptions) {
    this.#options = options;
  }

  /** Whether `follow` has something to do. */
  isNeededFor(rules: readonly Rule[]): boolean {
    return this.#journal !== null || rules.some(isDurable);
  }

  /**
   * These rules are in force from now on. The journal is opened when the first of them is durable.
   *
   * @returns what is to be looked for at the start; null if nothing is
   * @throws {Error} with a sentence for the user, if the journal cannot be used
   */
  async follow(rules: readonly Rule[], stateDir = defaultStateDir): Promise<CatchUpWish | null> {
    const durable = [...rules.entries()].filter(([, rule]) => isDurable(rule));
    this.#durable.set(rules, new Set(durable.map(([index]) => index)));
    const journal = (this.#journal ??= await this.#open(stateDir));
    if (stateDir !== this.#stateDir)
      this.#options.log.warn(
        `The journal stays in ${quoted(this.#stateDir)} until facron is started anew, and goes to ${quoted(stateDir)} then: events that wait stay behind`,
      );
    const followed = durable.map(([index, { name, condition }]) => {
      const catchesUp = (eventsOf(condition) & foundEvents) !== 0;
      return { index, name, catchesUp };
    });
    return journal.follow(rules, followed);
  }

  async #open(stateDir: string): Promise<Journal<readonly Rule[]>> {
    const { source, log, onDeath } = this.#options;
    const journal = new Journal<readonly Rule[]>({
      url: source.url,
      place: placeOf(stateDir, source.configuration),
      log,
      onDeath,
      onCounted: (counts) => {
        this.#counts = counts;
        this.#question.answered();
      },
      onStored: ({ rules, buffer, count, skipped, isFromBefore }) => {
        if (isFromBefore) this.#options.onMore(count);
        else this.#pending -= count + skipped;
        if (skipped > 0) this.#options.onFewer(skipped);
        if (count > 0) this.#options.run(rules, buffer, count);
        if (this.#pending === 0) for (const then of this.#whenStored.splice(0)) then();
      },
    });
    await journal.opened;
    this.#stateDir = stateDir;
    return journal;
  }

  /** Run these when they are in the journal, or at once if their rule is not durable. */
  take(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    const durable = this.#durable.get(rules);
    const { run } = this.#options;
    if (this.#journal === null || durable === undefined || durable.size === 0)
      return run(rules, buffer, count);
    if (durable.size === rules.length) return this.#add(rules, buffer, count);
    for (const part of triggersByRule(buffer))
      if (durable.has(part.rule)) this.#add(rules, part.buffer, part.count);
      else run(rules, part.buffer, part.count);
  }

  #add(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    this.#pending += count;
    this.#journal!.add(rules, buffer);
  }

  /** All that happened before this was read and was given to `take`: microseconds since 1970. */
  allIsReadUntil(microseconds: number): void {
    this.#journal?.allIsReadUntil(microseconds);
  }

  /** Resolves when all that was given to `take` has been given to the runner. */
  stored(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenStored.push(resolve));
  }

  /** What becomes of runs; null if no rule is durable. */
  get tickets(): Pick<Journal<readonly Rule[]>, TicketCall> | null {
    return this.#journal;
  }

  /** Takes half a second at most. Null: there is no journal. */
  async status(): Promise<JournalInStatus | null> {
    if (this.#journal === null) return null;
    const isAnswered = !this.#isClosing && (await this.#question.isAnswered());
    const counts = isAnswered ? this.#counts : null;
    return { file: this.#journal.file, ...(counts ?? { kept: null, running: null, dead: null }) };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#journal?.close();
  }
}

type TicketCall = "started" | "succeeded" | "gaveUp" | "wasDropped";

function isDurable({ policy, command }: Rule): boolean {
  return policy?.durable === true && command !== null;
}
