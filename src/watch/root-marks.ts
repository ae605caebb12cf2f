/** Marks what is at the path of a root: the path may lead to another file at any moment, also at this one. */
import { cString } from "../../ffi/bytes.ts";
import { type FileStatus, fileStatus, S_IFDIR, S_IFREG } from "../../ffi/files.ts";
import { isBeingWritten } from "../../ffi/lease.ts";
import type { Backend } from "./backend.ts";
import { OpenPath } from "./open-path.ts";
import { type OwnOutputs, statusOrNull } from "./own-outputs.ts";
import type { Node, Root } from "./tree.ts";
import { wantAt } from "./want.ts";
import type { WatchedFile } from "./watched-file.ts";
import type { WatchedFiles } from "./watched-files.ts";

/** How often the path of a root is looked at again because it was replaced meanwhile: a look takes 20 us. */
const looksMax = 100;

const fileKind = { isTop: true, isHidden: false, holdsOwnOutput: false } as const;

export type FoundRoot = Pick<Node, "mark" | "inode" | "ownOutputs">;

/** Told what is at the path of a root, a moment before it is watched. @param path leads to what is held */
export type RootFound = (root: Root, path: Uint8Array, status: FileStatus) => void;

export interface RootMarksOptions {
  readonly ownOutputs: OwnOutputs;
  readonly files: WatchedFiles;
  readonly onFound?: RootFound;
}

export class RootMarks {
  readonly #backend: Backend;
  readonly #ownOutputs: OwnOutputs;
  readonly #files: WatchedFiles;
  readonly #onFound: RootFound | undefined;

  constructor(backend: Backend, { ownOutputs, files, onFound }: RootMarksOptions) {
    this.#backend = backend;
    this.#ownOutputs = ownOutputs;
    this.#files = files;
    this.#onFound = onFound;
  }

  /**
   * @param isNew it has come to the path by now: who is writing it is asked
   * @throws {SyscallError} about the path
   */
  mark(root: Root, isNew = true): FoundRoot {
    const path = cString(root.path);
    if (statusOrNull(path)?.kind !== S_IFDIR) return this.#markFile(root, isNew);
    this.#files.forget(root);
    for (let look = 1; ; look++) {
      using held = OpenPath.follow(path);
      const status = fileStatus(held.path);
      const { kind, inode } = status;
      if (kind !== S_IFDIR) return this.#markFile(root, isNew);
      this.#onFound?.(root, held.path, status);
      const ownOutputs = this.#ownOutputs.namesIn(() => inode);
      const holdsOwnOutput = ownOutputs !== null;
      const want = wantAt(root, {
        isTop: true,
        isHidden: false,
        isDirectory: true,
        holdsOwnOutput,
      });
      const mark = this.#backend.add(held.path, true, want);
      if (look === looksMax || statusOrNull(path)?.inode === inode)
        return { mark, inode, ownOutputs };
      if (mark.nodes.length === 0 && mark.names === null) this.#backend.remove(mark, held.path);
    }
  }

  /**
   * A file that is saved again and again is another one at each call that names it by its path: it is held,
   * at a moment at which no record comes in, and then marked. What comes to the path after that has a
   * record of its own.
   */
  #markFile(root: Root, isNew: boolean): FoundRoot {
    const path = cString(root.path);
    const isTold = isNew || this.#files.get(root) !== null;
    let file: WatchedFile | null = null;
    for (let look = 1; ; look++) {
      const { end } = this.#backend;
      if (file === null || file.links !== "") file = this.#files.follow(root, { isNew });
      using held = OpenPath.follow(path);
      const isSure = this.#backend.end === end && file.hasSameLinks();
      if (!isSure && look < looksMax) continue;
      file.wasFound(end);
      const status = fileStatus(held.path);
      const { kind, inode } = status;
      this.#onFound?.(root, held.path, status);
      const want = wantAt(root, { ...fileKind, isDirectory: kind === S_IFDIR });
      const mark = this.#backend.add(held.path, kind === S_IFDIR, want);
      // Whoever closes it after this has a record of that.
      file.isBeingWritten =
        isTold && kind === S_IFREG && isBeingWritten(held.path, { followSymlink: true });
      return { mark, inode, ownOutputs: null };
    }
  }
}
