/** Says in the log, now and then, for how much of what happened nobody could tell who did it. */
import type { Log } from "../log.ts";

/** One word serves so long. */
const silenceMs = 60_000;

/** "outside": of facron's pid namespace, where the process has no number. */
export type WhyUnknown = "ended" | "outside";

const reasons: Readonly<Record<WhyUnknown, string>> = {
  ended: "the process had ended before it could be looked at",
  outside: "the process is outside of facron's container (pid namespace)",
};

export class UnknownActors {
  readonly #log: Log;
  /** Records that a rule would have decided by who did it, since that was last said. */
  readonly #undecided: Record<WhyUnknown, number> = { ended: 0, outside: 0 };
  #isAny = false;
  /** performance.now() before which it is not said again. */
  #silentUntil = 0;
  #saidNoAccess = false;
  #saidNoDescriptor = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A rule is for certain processes, and nobody knows whether this was one. */
  undecided(why: WhyUnknown): void {
    this.#undecided[why]++;
    this.#isAny = true;
  }

  /** To be called after each read. */
  sayIfDue(): void {
    if (this.#isAny && performance.now() >= this.#silentUntil) this.say();
  }

  say(): void {
    if (!this.#isAny) return;
    this.#isAny = false;
    this.#silentUntil = performance.now() + silenceMs;
    for (const why of ["ended", "outside"] as const) {
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

  /** /proc/PID/exe of another user's process: EACCES. */
  noAccess(): void {
    if (this.#saidNoAccess) return;
    this.#saidNoAccess = true;
    this.#log.warn(
      "Cannot read which programs do things (exe): facron may not look at other users' processes; give it CAP_SYS_PTRACE",
    );
  }

  noDescriptor(): void {
    if (this.#saidNoDescriptor) return;
    this.#saidNoDescriptor = true;
    this.#log.warn(
      "Cannot look at who does things: facron has too many files open; raise its limit: ulimit -n 4096",
    );
  }
}
