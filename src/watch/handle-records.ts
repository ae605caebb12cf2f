/** Records of directories that name them by handle (fanotify): which one is meant is never in doubt. */
import { bytesEqual, cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { eventBits } from "../event.ts";
import type { DirectoryEntry, DirectoryMove } from "./backend.ts";
import { type Directories, placeOf } from "./directories.ts";
import type { FilesystemRecords } from "./filesystem-records.ts";
import { OpenDirectory } from "./open-directory.ts";
import type { Places } from "./places.ts";
import { isInTree, joined, type Node } from "./tree.ts";
import { follows, isLeftOut, marksFilesystem } from "./want.ts";

/** Sub-directories of a new directory that are looked into before the next record: `mkdir -p` and more. */
const directoriesAtOnce = 64;

export class HandleRecords {
  readonly #directories: Directories;
  readonly #places: Places;
  /** For roots whose filesystem reports as a whole. */
  readonly #whole: FilesystemRecords | null;

  constructor(directories: Directories, whole: FilesystemRecords | null) {
    this.#directories = directories;
    this.#places = directories.places;
    this.#whole = whole;
  }

  /**
   * One record may say that a directory came, by whatever way, and that it was deleted, which happened
   * later: it is gone for good, since a handle is never used again. Moves have a record of their own.
   */
  entry(parent: Node, entry: DirectoryEntry): void {
    if (this.#whole !== null && marksFilesystem(parent.root))
      return this.#whole.entry(parent, entry);
    const { events, name, target, identity } = entry;
    const known = placeOf(target, parent.root);
    if ((events & eventBits.delete) !== 0) {
      if (known === null) return;
      this.#wasAt(known, parent, name);
      this.#places.end(known, { isDeleted: true });
    } else if ((events & eventBits.create) !== 0 && known === null && identity !== null)
      this.#arrive(parent, name, identity);
  }

  /** FAN_RENAME: each root sees both sides of it, or one. */
  moved(move: DirectoryMove): void {
    const { from, to, target, identity, isUnsure } = move;
    const nodes = [...(from?.nodes ?? []), ...(to?.nodes ?? [])];
    for (const root of new Set(nodes.map((node) => node.root))) {
      if (!follows(root)) continue;
      if (this.#whole !== null && marksFilesystem(root)) {
        this.#whole.moved(root, move);
        continue;
      }
      const known = placeOf(target, root);
      if (known !== null && this.#directories.backend.position <= known.since) continue;
      const before = from?.nodes.find((node) => node.root === root);
      if (known !== null && before !== undefined) {
        // Its arrival has been told by another queue.
        if (isUnsure === true && known.parent !== before) continue;
        this.#wasAt(known, before, from!.name);
      }
      const parent = to?.nodes.find((node) => node.root === root);
      if (parent === undefined) {
        if (known !== null) this.#places.leave(known);
      } else if (known === null) this.#arrive(parent, to!.name, identity);
      else {
        this.#places.move(known, parent, to!.name);
        this.#verify(known, identity);
      }
    }
  }

  /** The record says where the directory was until now: it came there without one. */
  #wasAt(known: Node, parent: Node, name: Uint8Array): void {
    const { moves } = this.#places;
    const isThere = known.parent === parent && bytesEqual(known.name, name);
    if (!isThere || moves.isAway(known)) this.#places.move(known, parent, name);
  }

  /**
   * The kernel merges a move into an earlier record that says the same (there, back and there again by
   * one process). So the directory may be elsewhere, and no record will tell.
   */
  #verify(node: Node, identity: Uint8Array): void {
    if (!isInTree(node) || this.#directories.opener.isAtItsPath(node, identity)) return;
    const at = this.#directories.backend.end;
    const found = this.#directories.opener.whereabouts(node, identity);
    if (found === null || (found.parent === node.parent && bytesEqual(found.name, node.name)))
      return;
    const isTold = this.#directories.backend.isMovedAhead(identity);
    if (isTold) this.#places.sight(node, { ...found, at });
    else this.#places.move(node, found.parent, found.name);
  }

  #arrive(parent: Node, name: Uint8Array, identity: Uint8Array): void {
    if (isLeftOut(parent, name)) return;
    const directory = this.#open(parent, name, identity);
    if (directory === null) return; // gone by now
    const at = this.#directories.backend.position;
    const placed = this.#directories.place({ parent, name, directory, at });
    // A subvolume that comes from another queue's directory has another handle here, and is in the tree.
    const isNew = placed !== null && placed.isNew;
    if (!isNew || parent.root.below === null) return directory[Symbol.dispose]();
    this.#directories.add(placed.node, { isNew: true, directory });
    this.#directories.walk(directoriesAtOnce);
  }

  /** By its path; or by its handle, if it has another one by now. */
  #open(parent: Node, name: Uint8Array, identity: Uint8Array): OpenDirectory | null {
    try {
      const directory = OpenDirectory.at(cString(joined(parent, name))).keepIf(({ path }) => {
        const found = this.#directories.backend.identityOf(path);
        return found !== null && bytesEqual(found, identity);
      });
      if (directory !== null) return directory;
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
    }
    return this.#directories.opener.byIdentity(parent, identity);
  }
}
