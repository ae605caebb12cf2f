/** Directories that are in the tree, and that the kernel does not watch: a limit is reached. */
import { fileStatus } from "../../ffi/files.ts";
import type { Mark } from "./tree.ts";

export class Unwatched {
  /** As `FileStatus.inode`. */
  readonly #inodes = new Map<Mark, string>();
  readonly #marks = new Map<string, Mark>();

  get size(): number {
    return this.#inodes.size;
  }

  get marks(): readonly Mark[] {
    return [...this.#inodes.keys()];
  }

  has(mark: Mark): boolean {
    return this.#inodes.has(mark);
  }

  /** @param path NUL-terminated. @throws {SyscallError} about the path */
  at(path: Uint8Array): Mark | null {
    return this.#marks.get(fileStatus(path).inode) ?? null;
  }

  /** @param path NUL-terminated. @throws {SyscallError} about the path */
  add(path: Uint8Array, isDirectory: boolean): Mark {
    const { inode } = fileStatus(path);
    const mark: Mark = { isDirectory, identity: null, mask: 0, nodes: [] };
    this.#inodes.set(mark, inode);
    this.#marks.set(inode, mark);
    return mark;
  }

  /** @returns whether it was one */
  delete(mark: Mark): boolean {
    const inode = this.#inodes.get(mark);
    if (inode === undefined) return false;
    this.#inodes.delete(mark);
    this.#marks.delete(inode);
    return true;
  }
}
