/** Whether records have left it in doubt where directories are: then the tree is compared with the disk. */

/** So long a doubt waits for a moment in which no record is queued: milliseconds. */
const patienceMs = 200;

export class Doubt {
  #exists = false;
  /** A record of a directory has come since the last comparison. */
  #hasNews = true;
  /** performance.now() at the first read that found it. */
  #foundAt: number | null = null;

  /** Records are lost, or did not help: all has to be looked at again. */
  get exists(): boolean {
    return this.#exists;
  }

  raise(): void {
    this.#exists = true;
  }

  /** A record of a directory: another comparison may find what the last one has not. */
  noticeRecord(): void {
    this.#hasNews = true;
  }

  /** All is looked at anyway. */
  clear(): void {
    this.#exists = false;
  }

  /**
   * Once for what has been read of directories: if one cannot be found then, it will not be by the next
   * look. Looks leave records of their own behind, which are no reason to look again.
   *
   * @returns whether the tree is to be compared now
   */
  take(): boolean {
    this.#exists = false;
    const isDue = this.#hasNews;
    this.#hasNews = false;
    return isDue;
  }

  /**
   * After each read. Where records never cease, the moment to settle does not come.
   *
   * @param waits something else is to be looked for first
   */
  isOverdue({ waits }: { readonly waits: boolean }): boolean {
    if (!this.#exists) {
      this.#foundAt = null;
      return false;
    }
    const now = performance.now();
    this.#foundAt ??= now;
    if (now - this.#foundAt < patienceMs || waits) return false;
    this.#foundAt = null;
    return true;
  }
}
