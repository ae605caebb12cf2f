/** Says in the log, now and then, for how much of what happened nobody could tell who did it. */
import type { Log } from "../log.ts";

/** One word serves so long. */
const silenceMs = 60_000;

export class UnknownActors {
  readonly #log: Log;
  /** Records that a rule would have decided by who did it, since that was last said. */
  #undecided = 0;
  /** performance.now() before which it is not said again. */
  #silentUntil = 0;
  #saidNoAccess = false;
  #saidNoDescriptor = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** A rule is for certain processes, and nobody knows whether this was one. */
  undecided(): void {
    this.#undecided++;
  }

  /** To be called after each read. */
  sayIfDue(): void {
    if (this.#undecided > 0 && performance.now() >= this.#silentUntil) this.say();
  }

  say(): void {
    if (this.#undecided === 0) return;
    this.#silentUntil = performance.now() + silenceMs;
    const events = this.#undecided === 1 ? "1 event" : `${this.#undecided} events`;
    this.#undecided = 0;
    this.#log.warn(
      `Cannot tell who did ${events}: the process had ended before it could be looked at; ` +
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
