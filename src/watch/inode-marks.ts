/** Marks by the inode that they are on, where no queue can tell. */
import type { Mark } from "./tree.ts";

export class InodeMarks {
  /** As `FileStatus.inode`. */
  readonly #inodes = new Map<Mark, string>();
  readonly #marks = new Map<string, Mark>();

  get size(): number {
    return this.#inodes.size;
  }

  get all(): readonly Mark[] {
    return [...this.#inodes.keys()];
  }

  has(mark: Mark): boolean {
    return this.#inodes.has(mark);
  }

  at(inode: string): Mark | null {
    return this.#marks.get(inode) ?? null;
  }

  add(mark: Mark, inode: string): void {
    this.#inodes.set(mark, inode);
    this.#marks.set(inode, mark);
  }

  /** @returns whether it was one */
  delete(mark: Mark): boolean {
    const inode = this.#inodes.get(mark);
    if (inode === undefined) return false;
    this.#inodes.delete(mark);
    if (this.#marks.get(inode) === mark) this.#marks.delete(inode);
    return true;
  }
}
