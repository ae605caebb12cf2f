/** Says in the log, now and then, for how much of what happened nobody could tell who did it. */
import type { Log } from "../log.ts";

/** One word serves so long. */
const silenceMs = 60_000;

/**
 * "outside": of facron's pid namespace, where the process has no number. "no-record": a look found what
 * happened before the directory was watched.
 */
export type WhyUnknown = "ended" | "outside" | "no-record" | Curable;

/** "no-proc": it is not there, or not that of facron's pid namespace: its numbers are of other processes. */
export type Curable = "hidden" | "no-descriptor" | "no-proc";

const reasons: Readonly<Record<WhyUnknown, string>> = {
  ended: "the process had ended before it could be looked at",
  outside: "the process is outside of facron's container (pid namespace)",
  "no-record": "it happened before its directory could be watched",
  hidden: "/proc does not show the process to facron",
  "no-descriptor": "facron had too many files open",
  "no-proc": "/proc is not that of facron's container (pid namespace)",
};

/** What can be cured. */
const cures: Readonly<Record<Curable, string>> = {
  hidden:
    "Cannot look at other users' processes in /proc, so exe, comm or uid is missing: give facron CAP_SYS_PTRACE",
  "no-descriptor":
    "Cannot look at who does things: facron has too many files open; raise its limit: ulimit -n 4096",
  "no-proc":
    "Cannot look at who does things: /proc is missing, or is that of another pid namespace; mount the right one: mount -t proc proc /proc",
};

export class UnknownActors {
  readonly #log: Log;
  /** Records that a rule would have decided by who did it, since that was last said. */
  readonly #undecided: Record<WhyUnknown, number> = {
    ended: 0,
    outside: 0,
    "no-record": 0,
    hidden: 0,
    "no-descriptor": 0,
    "no-proc": 0,
  };
  #isAny = false;
  /** performance.now() before which it is not said again. */
  #silentUntil = 0;
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** A rule is for certain processes, and nobody knows whether this was one. */
  undecided(why: WhyUnknown): void {
    this.#undecided[why]++;
    this.#isAny = true;
  }

  /** To be called after each round of reading. */
  sayIfDue(): void {
    if (this.#isAny && performance.now() >= this.#silentUntil) this.say();
  }

  say(): void {
    if (!this.#isAny) return;
    this.#isAny = false;
    this.#silentUntil = performance.now() + silenceMs;
    for (const why of Object.keys(reasons) as WhyUnknown[]) {
      const count = this.#undecided[why];
      this.#undecided[why] = 0;
      if (count > 0) this.#sayOf(count, reasons[why]);
    }
  }

  #sayOf(count: number, reason: string): void {
    this.#log.warn(
      `Cannot tell who did ${count === 1 ? "1 event" : `${count} events`}: ${reason}; ` +
        "rules for certain actors did not fire, rules that only leave some out did",
    );
  }

  /** It will be so for many. */
  sayOnce(why: Curable): void {
    if (this.#said.has(why)) return;
    this.#said.add(why);
    this.#log.warn(cures[why]);
  }
}
