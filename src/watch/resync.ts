/** Make the tree what is there: after records were lost, or came too late to be sure of. */
import { cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { DT_DIR, DT_UNKNOWN, listDirectory, S_IFDIR } from "../../ffi/files.ts";
import { statusOrNull } from "./own-outputs.ts";
import { childrenOf, joined, type Node, pathForCall } from "./tree.ts";

/** What the table does to its tree. */
export interface TreeHands {
  /** Make a place for a directory that is not known; null if it cannot be. */
  appear(parent: Node, name: Uint8Array): Node | null;
  /** What is below a new place has to be found and told. */
  walkLater(node: Node): void;
  move(node: Node, parent: Node, name: Uint8Array): void;
  drop(node: Node): void;
}

/** Compares the tree below one root with the disk, directory by directory. */
export class Resync {
  readonly #hands: TreeHands;
  readonly #isRecursive: boolean;
  readonly #knownByInode = new Map<string, Node>();
  readonly #seen = new Set<Node>();

  /** @param displaced places that lost their name to another one, and may turn up elsewhere */
  constructor(top: Node, displaced: Iterable<Node>, hands: TreeHands) {
    this.#hands = hands;
    this.#isRecursive = top.root.below !== null;
    this.#collect(top);
    for (const node of displaced) if (node.root === top.root) this.#collect(node);
  }

  /** A directory that is known by its inode keeps its history, one that is new is told, one that is gone goes. */
  run(top: Node): void {
    this.#seen.add(top);
    this.#visit(top);
    for (const node of this.#knownByInode.values())
      if (!this.#seen.has(node)) this.#hands.drop(node);
  }

  #collect(node: Node): void {
    this.#knownByInode.set(node.inode, node);
    for (const child of childrenOf(node)) this.#collect(child);
  }

  #visit(node: Node): void {
    for (const { name, inode } of subdirectoriesOf(node)) {
      const known = this.#knownByInode.get(inode);
      if (known === undefined) this.#take(node, name);
      else if (!this.#seen.has(known)) this.#keep(known, node, name);
    }
  }

  #take(parent: Node, name: Uint8Array): void {
    const fresh = this.#hands.appear(parent, name);
    if (fresh === null) return;
    this.#seen.add(fresh);
    if (this.#isRecursive) this.#hands.walkLater(fresh);
  }

  #keep(known: Node, parent: Node, name: Uint8Array): void {
    this.#seen.add(known);
    if (parent.child(name) !== known) this.#hands.move(known, parent, name);
    if (this.#isRecursive) this.#visit(known);
  }
}

function subdirectoriesOf(node: Node): { name: Uint8Array; inode: string }[] {
  const found: { name: Uint8Array; inode: string }[] = [];
  try {
    listDirectory(pathForCall(node), (name, type) => {
      if (type !== DT_DIR && type !== DT_UNKNOWN) return;
      const status = statusOrNull(cString(joined(node, name)), { followSymlink: false });
      if (status?.kind === S_IFDIR) found.push({ name, inode: status.inode });
    });
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error; // gone by now, and what was in it with it
  }
  return found;
}
