/** Whether more may be read: a slow stdout or slow commands stop the reading, and the kernel's queue fills. */
import type { Log } from "../log.ts";
import type { Writer } from "../output/writer.ts";
import { type ReaderStart, sharedCounters } from "./plan.ts";

/** How long one word about a pause serves. */
const pauseSilenceMs = 60_000;

type Limits = Pick<ReaderStart, "backlogBytesMax" | "triggersWaitingMax">;

export interface BackpressureOptions extends Limits {
  readonly stdout: Pick<Writer, "backlogBytes">;
  /** As `sharedCounters` has them. */
  readonly counters: Int32Array;
  readonly log: Log;
}

export class Backpressure {
  readonly #options: BackpressureOptions;
  /** performance.now() before which a pause is not said again. */
  #silentUntil = 0;

  constructor(options: BackpressureOptions) {
    this.#options = options;
  }

  /** If there is none for triggers, the main thread wakes the reader as soon as there is. */
  hasRoom(): boolean {
    const { stdout, counters, backlogBytesMax, triggersWaitingMax } = this.#options;
    if (stdout.backlogBytes >= backlogBytesMax) {
      this.#sayPause(
        `stdout is not read, ${backlogBytesMax >> 20} MiB of lines wait for its reader`,
      );
      return false;
    }
    if (this.#triggersWaiting < triggersWaitingMax) return true;
    // Announce the wait, then look again: the main thread may have made room in between.
    Atomics.store(counters, sharedCounters.readerWaits, 1);
    if (this.#triggersWaiting < triggersWaitingMax) return true;
    // A rule that is full looks like all of them: see holdBack of the reader's thread.
    this.#sayPause(
      `as many events wait for commands as max_queued of a rule allows, or ${triggersWaitingMax} of all rules ("facron status" shows which)`,
    );
    return false;
  }

  get #triggersWaiting(): number {
    return Atomics.load(this.#options.counters, sharedCounters.triggersWaiting);
  }

  /** Reading may stop and go on many times a second; the log need not. */
  #sayPause(why: string): void {
    const now = performance.now();
    if (now < this.#silentUntil) return;
    this.#silentUntil = now + pauseSilenceMs;
    this.#options.log.warn(
      `Reading no more events for now: ${why}; the kernel queues, and then loses, what happens meanwhile, for all rules`,
    );
  }
}
