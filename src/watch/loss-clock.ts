/** Since when records may be missing, if the kernel says that its queue was full. */
import type { Backend } from "./backend.ts";

/**
 * A change gets the time of the last clock tick: 10 ms at most (CONFIG_HZ=100). Since Linux 6.13 it is
 * finer where somebody looks (multigrain timestamps).
 */
const tickMicroseconds = 10_000;

export class LossClock {
  /** At this time nothing was missing: all that was queued then is read. */
  #intact: Moment;
  /** The next such time, when the records come to `end`. */
  #next: Moment & { readonly end: number };

  /** @param wall the time now, microseconds since 1970 */
  constructor(wall: number) {
    this.#intact = momentOf(wall);
    this.#next = { ...this.#intact, end: 0 };
  }

  /** Before each read. @param wall the time now, microseconds since 1970 */
  beforeRead(wall: number, queue: Queue): void {
    if (queue.position < this.#next.end) return;
    this.#intact = this.#next;
    this.#next = { ...momentOf(wall), end: queue.end };
  }

  /** The record in hand says that others are lost. */
  lost(wall: number, queue: Queue): void {
    this.#next = { ...momentOf(wall), end: queue.end };
  }

  /**
   * No record is missing of what happened before: microseconds since 1970, in the time of files. If the
   * clock was set back since, files have been given earlier times than it showed.
   */
  intactUntil(wall: number): number {
    const passed = momentOf(wall).steady - this.#intact.steady;
    return Math.min(this.#intact.wall, wall - passed) - tickMicroseconds;
  }
}

/** One moment by two clocks, in microseconds: the time that files get, and one that nobody sets. */
interface Moment {
  readonly wall: number;
  readonly steady: number;
}

type Queue = Pick<Backend, "position" | "end">;

function momentOf(wall: number): Moment {
  return { wall, steady: performance.now() * 1000 };
}
