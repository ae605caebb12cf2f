/** A walk makes as much garbage as it makes directories, and the collector never moves what stays. */

const marksMin = 4096;

/**
 * Collects while it is walked, so that the next directories take the place of the garbage of those before:
 * 50,000 of them take 40 MiB so, and 53 MiB when the collector chooses the time.
 */
export class WalkGarbage {
  #collectAt = marksMin;

  /** Beside the walk, in a thread of the collector. In all it looks at each mark about eight times. */
  collectIfMuch(marks: number): void {
    if (marks < this.#collectAt) return;
    Bun.gc(false);
    this.#waitFrom(marks);
  }

  /** At the end: a thread that waits in poll(2) never would. */
  collect(marks: number): void {
    Bun.gc(true);
    this.#waitFrom(marks);
  }

  #waitFrom(marks: number): void {
    this.#collectAt = marks + Math.max(marksMin, marks >> 3);
  }
}
