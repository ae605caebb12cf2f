/** In which directory the name of each watched file was found: the file itself says nothing of that. */
import { cString, latin1 } from "../../ffi/bytes.ts";
import { statusOrNull } from "../watch/own-outputs.ts";
import type { Root } from "../watch/tree.ts";

const slash = 0x2f;

export class Footing {
  /** `FileStatus.inode`; null if there was nothing. */
  readonly #byRoot = new WeakMap<Root, string | null>();
  readonly #byDirectory = new Map<string, string | null>();

  /** What is seen of a directory serves until then. */
  lookAnew(): void {
    this.#byDirectory.clear();
  }

  /** A file has been found where its path leads. */
  take(root: Root): void {
    if (root.node?.isDirectory === false) this.#byRoot.set(root, this.#directoryOf(root));
  }

  /** Whether the path of a file leads to another directory by now, and so to another file, or to none. */
  isLost(root: Root): boolean {
    const before = this.#byRoot.get(root);
    if (before === undefined || before === this.#directoryOf(root)) return false;
    this.#byRoot.set(root, this.#directoryOf(root));
    return true;
  }

  #directoryOf({ path }: Root): string | null {
    const directory = path.subarray(0, Math.max(path.lastIndexOf(slash), 1));
    const key = latin1(directory);
    const known = this.#byDirectory.get(key);
    if (known !== undefined) return known;
    const inode = statusOrNull(cString(directory))?.inode ?? null;
    this.#byDirectory.set(key, inode);
    return inode;
  }
}
