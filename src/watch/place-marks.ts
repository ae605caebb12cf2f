/** What the kernel is asked for the places in the tree: changed with what is wanted, given up with the last place. */
import { cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Log, quoted } from "../log.ts";
import type { Backend } from "./backend.ts";
import type { DirectoryOpener } from "./directory-opener.ts";
import { causeOf } from "./explain.ts";
import { childrenOf, isInTree, type Node, pathForCall } from "./tree.ts";
import { marksFilesystem, wantOf } from "./want.ts";

const noPath = new Uint8Array(1);

export class PlaceMarks {
  readonly #backend: Backend;
  readonly #log: Log;
  readonly #opener: DirectoryOpener;

  constructor(backend: Backend, { log, opener }: { log: Log; opener: DirectoryOpener }) {
    this.#backend = backend;
    this.#log = log;
    this.#opener = opener;
  }

  /** Ask the kernel for what is wanted of a place now. */
  refresh(node: Node): void {
    const { mark } = node;
    if (!isInTree(node)) return; // only its name is known
    if (mark.mask === 0 && mark.nodes.every(reportsWithFilesystem)) return;
    try {
      if (!mark.isDirectory) return this.#backend.change(mark, pathForCall(node), wantOf(mark));
      using directory = this.#opener.open(node);
      if (directory !== null) this.#backend.change(mark, directory.path, wantOf(mark));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      const cause = causeOf(error, this.#backend.name);
      this.#log.warn(`Cannot change the watch on ${quoted(node.path)}: ${cause}`);
    }
  }

  /** The same for all places below. */
  refreshBelow(node: Node): void {
    this.refresh(node);
    for (const child of childrenOf(node)) this.refreshBelow(child);
  }

  /**
   * A place is given up: the mark goes with the last one.
   *
   * @param isDeleted the kernel's mark is gone with the directory
   * @returns whether the directory is known not to be there any more
   */
  release(node: Node, { isDeleted }: { readonly isDeleted: boolean }): boolean {
    const { mark } = node;
    if (!isInTree(node)) return isDeleted;
    mark.nodes = mark.nodes.filter((one) => one !== node);
    if (mark.nodes.length > 0) this.refresh(mark.nodes[0]!);
    else if (isDeleted) this.#backend.forget(mark);
    else if (mark.names !== null) this.#narrow(node);
    else return this.#remove(node) === "gone";
    return isDeleted;
  }

  /** Nothing is wanted of a directory any more but the names in it that lead to watched files. */
  #narrow({ mark, path }: Node): void {
    try {
      this.#backend.change(mark, cString(path), wantOf(mark));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // more is asked than is needed
    }
  }

  /** @returns "gone" if it is known not to be there any more */
  #remove(node: Node): "gone" | "removed" {
    const { mark } = node;
    if (mark.mask === 0) {
      this.#backend.remove(mark, noPath); // the kernel has none
      return "removed";
    }
    if (!mark.isDirectory || mark.identity === null) {
      this.#backend.remove(mark, pathForCall(node));
      return "removed";
    }
    using directory = this.#opener.open(node);
    if (directory === null) this.#backend.forget(mark);
    else this.#backend.remove(mark, directory.path);
    return directory === null ? "gone" : "removed";
  }
}

function reportsWithFilesystem({ parent, root }: Node): boolean {
  return parent !== null && marksFilesystem(root);
}
