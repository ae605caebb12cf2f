/** Records of directories below a root whose filesystem reports as a whole: each comes and goes by one. */
import { bytesEqual } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";
import type { DirectoryEntry, DirectoryMove } from "./backend.ts";
import { type Directories, placeOf } from "./directories.ts";
import type { Finder } from "./finder.ts";
import type { Places } from "./places.ts";
import { type Node, type Root } from "./tree.ts";
import { isLeftOut } from "./want.ts";

/** Directories that are looked into before the next record. */
const directoriesAtOnce = 64;

export class FilesystemRecords {
  readonly #directories: Directories;
  readonly #places: Places;
  readonly #finder: Finder;

  constructor(directories: Directories, finder: Finder) {
    this.#directories = directories;
    this.#places = directories.places;
    this.#finder = finder;
  }

  /** One record may say that it came and that it was deleted, and others between are still to come. */
  entry(parent: Node, { events, name, target, identity }: DirectoryEntry): void {
    let known = placeOf(target, parent.root);
    const came = (events & (eventBits.create | eventBits.moved_to)) !== 0;
    if (came && known === null && identity !== null) known = this.#place(parent, name, identity);
    if ((events & eventBits.delete) !== 0 && known !== null)
      this.#places.end(known, { isDeleted: true });
  }

  moved(root: Root, { from, to, target, identity }: DirectoryMove): void {
    const before = from?.nodes.find((node) => node.root === root);
    const after = to?.nodes.find((node) => node.root === root);
    const known = placeOf(target, root);
    if (after === undefined) {
      if (known !== null) this.#places.drop(known);
    } else if (known !== null) this.#places.move(known, after, to!.name);
    else this.#place(after, to!.name, identity);
    const node = this.#finder.nodeOf(identity, root);
    if (node === null) return;
    if (known === null && (before === undefined || isLeftOut(before, from!.name)))
      this.#bringIn(node);
    this.#verify(node, identity);
  }

  /** What is in a directory that was elsewhere has come with it, and there is no record of that. */
  #bringIn(node: Node): void {
    this.#directories.backend.filesystems!.lookAgain();
    this.#directories.add(node, { isNew: true });
    this.#directories.walk(directoriesAtOnce);
  }

  #place(parent: Node, name: Uint8Array, identity: Uint8Array): Node | null {
    if (isLeftOut(parent, name)) return null;
    return this.#directories.know(identity, { parent, name });
  }

  /**
   * The kernel merges a move into an earlier record that says the same (there, back and there again by
   * one process). So the directory may be elsewhere, and no record will tell.
   */
  #verify(node: Node, identity: Uint8Array): void {
    if (this.#directories.opener.isAtItsPath(node, identity)) return;
    const found = this.#finder.whereNow(identity, node.root);
    if (found === null) return;
    this.#finder.find(found.parent);
    const parent = this.#finder.nodeOf(found.parent, node.root);
    const isSame = parent === node.parent && bytesEqual(found.name, node.name);
    if (parent === null) this.#places.drop(node);
    else if (!isSame) this.#places.move(node, parent, found.name);
  }
}
