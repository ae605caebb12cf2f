/** How many commands run at once, over all rules, and how many of one. */
import { type Log, quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import type { RuleRuns } from "./rule-runs.ts";

/** With fewer places than this none is kept free: one rule may need them all. */
const placesToShare = 4;

/** All places taken for so long, while others wait, is told. */
const usualFullMs = 60_000;

export class Places {
  readonly #log: Log;
  readonly #fullMs: number;
  #total: number;
  #taken = 0;
  #isShared = false;
  /** Taken by each rule. */
  readonly #byRule = new Map<RuleRuns, number>();
  #fullTimer: Timer | null = null;
  /** performance.now() when one was last taken or left. */
  #movedAt = 0;

  constructor(total: number, log: Log, fullMs = usualFullMs) {
    this.#total = total;
    this.#log = log;
    this.#fullMs = fullMs;
  }

  /** @param rules all that there are from now on */
  allow(total: number, rules: readonly Rule[]): void {
    this.#total = total;
    this.#isShared = rules.filter(({ command }) => command !== null).length > 1;
  }

  get total(): number {
    return this.#total;
  }

  get taken(): number {
    return this.#taken;
  }

  get areFree(): boolean {
    return this.#taken < this.#total;
  }

  takenBy(runs: RuleRuns): number {
    return this.#byRule.get(runs) ?? 0;
  }

  /** Where rules share the places, one whose commands hang does not take the last of them. */
  hasRoomFor(runs: RuleRuns): boolean {
    const share = this.#isShared && this.#total >= placesToShare ? this.#total - 1 : this.#total;
    return this.areFree && this.takenBy(runs) < (runs.maxRunning ?? share);
  }

  take(runs: RuleRuns): void {
    this.#taken++;
    this.#movedAt = performance.now();
    this.#byRule.set(runs, this.takenBy(runs) + 1);
  }

  leave(runs: RuleRuns): void {
    this.#taken--;
    const left = this.takenBy(runs) - 1;
    if (left === 0) this.#byRule.delete(runs);
    else this.#byRule.set(runs, left);
    this.#movedAt = performance.now();
  }

  /** Somebody waits for a place: it is told if none gets free for long. @param waiting triggers */
  watch(waiting: () => number): void {
    if (this.areFree || this.#fullTimer !== null) return;
    this.#lookIn(this.#fullMs, waiting);
  }

  /** One timer for all the commands that come and go meanwhile. */
  #lookIn(ms: number, waiting: () => number): void {
    this.#fullTimer = setTimeout(() => {
      this.#fullTimer = null;
      if (this.areFree || waiting() === 0) return;
      const leftMs = this.#movedAt + this.#fullMs - performance.now();
      if (leftMs > 0) this.#lookIn(Math.ceil(leftMs), waiting);
      else this.#tellFull(waiting());
    }, ms);
    this.#fullTimer.unref();
  }

  #tellFull(waiting: number): void {
    const most = [...this.#byRule].sort(([, a], [, b]) => b - a).slice(0, 3);
    const who = most.map(([{ name }, count]) => `${count} of rule ${quoted(name)}`).join(", ");
    this.#log.warn(
      `No command has ended for ${this.#fullMs / 1000} s, and ${waiting} events wait for one of ${this.#total} places (${who}): give these rules a timeout, or raise max_running`,
    );
  }
}
