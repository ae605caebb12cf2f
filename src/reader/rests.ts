/**
 * When a table may settle: nothing was read of it for so long that what one system call queues has come.
 *
 * A rename queues two records, and the kernel may run others between them: us, whom the first has woken.
 * An empty queue alone does not say that the second will not come.
 */
import { renameWaitMs } from "../watch/awaited.ts";

export class Rests {
  /** performance.now() when it was asked first since the last read. */
  readonly #since = new WeakMap<object, number>();

  /** Something was read, or nothing waits any more. */
  end(table: object): void {
    this.#since.delete(table);
  }

  /** How long the table has to rest still: whole milliseconds, 0 if it may settle. */
  leftMs(table: object): number {
    const now = performance.now();
    const since = this.#since.get(table);
    if (since === undefined) this.#since.set(table, now);
    return Math.max(0, Math.ceil((since ?? now) + renameWaitMs - now));
  }
}
