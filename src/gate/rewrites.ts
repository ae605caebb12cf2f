/** Files that may change without a trace: how often somebody was seen to have each open for writing. */
import { writersOf } from "../../ffi/lease.ts";

/** Beyond that all count anew, from a number that none had: some 2 MiB. */
const filesMax = 20_000;

/**
 * Who wants to write opens the file, and that is a question while the kernel counts it as a writer already: an
 * answer from before is then of no more use.
 */
export class Rewrites {
  readonly #counts = new Map<string, number>();
  #last = 0;
  /** Of those that are not in the map. */
  #others = 0;

  /**
   * Another number once somebody has had the file open for writing.
   *
   * @param fd of the question about it
   */
  countOf(inode: string, fd: number): number {
    if (writersOf(fd) !== "some") return this.#counts.get(inode) ?? this.#others;
    if (this.#counts.size >= filesMax) {
      this.#counts.clear();
      this.#others = ++this.#last;
    }
    this.#counts.set(inode, ++this.#last);
    return this.#last;
  }
}
