/**
 * Records of directories that only say a name (inotify).
 *
 * What has the name by now need not be what the record means. So a new directory is followed by its
 * name, and looked up when no record that is queued says that the name has been given up: then, and
 * only then, is it the one.
 */
import { SyscallError } from "../../ffi/errno.ts";
import { entryEvents, eventBits } from "../event.ts";
import type { DirectoryEntry, MoveKey } from "./backend.ts";
import type { Directories, Opening } from "./directories.ts";
import type { OpenDirectory } from "./open-directory.ts";
import { isInTree, type Mark, Node } from "./tree.ts";
import { isLeftOut } from "./want.ts";

const arrivals = eventBits.create | eventBits.moved_to;

/** The mark of a directory of which only the name is known. */
function noMark(): Mark {
  return { isDirectory: true, identity: null, nodes: [], names: null, mask: 0 };
}

export class NameRecords {
  readonly #directories: Directories;
  /** Directories of which only the name is known. */
  readonly #expected = new Set<Node>();
  /** Directories that came to a name which a later one has already: each leaves by a record that is queued. */
  readonly #outlived = new Set<Node>();

  constructor(directories: Directories) {
    this.#directories = directories;
  }

  /** Something is known in part: a moment without records will tell the rest. */
  get isUnsettled(): boolean {
    return this.#expected.size > 0 || this.#outlived.size > 0;
  }

  /** A directory was created in, deleted from, moved into or moved out of `parent`. */
  entry(parent: Node, { events, name, key }: DirectoryEntry): void {
    const { position } = this.#directories.backend;
    const child = parent.child(name, position);
    if ((events & entryEvents & ~arrivals) !== 0 && child !== null) {
      if ((events & eventBits.moved_from) !== 0 && key !== null) this.#away(child, key);
      else this.#giveUp(child);
    }
    if ((events & arrivals) !== 0) this.#arrive(parent, name, key);
  }

  #away(child: Node, key: MoveKey): void {
    child.detach();
    this.#directories.moves.leave(child, key);
  }

  #giveUp(child: Node): void {
    this.#expected.delete(child);
    this.#directories.drop(child, { isDeleted: true });
  }

  /**
   * Another directory has got the name. It replaced an empty one, which is gone; or they changed places
   * (RENAME_EXCHANGE), and the next record is about the one that was there.
   */
  #replace(older: Node): void {
    older.outlive();
    older.standing = "leaves next";
    this.#outlived.add(older);
  }

  #arrive(parent: Node, name: Uint8Array, key: MoveKey | null): void {
    const { moves, backend } = this.#directories;
    const known = key === null ? null : moves.take(key, parent.root);
    const latest = parent.latestChild(name);
    const isOldNews = latest !== null && backend.position <= latest.since;
    if (known === null && isOldNews) return; // most likely itself; if not, it has left again
    if (latest !== null && latest !== known && !isOldNews) this.#replace(latest);
    if (known !== null) {
      if (isOldNews) this.#outlived.add(known);
      return this.#directories.move(known, parent, name, { isOutlived: isOldNews });
    }
    if (isLeftOut(parent, name)) return;
    const node = new Node(parent.root, noMark(), { parent, name });
    node.since = backend.position;
    node.attach();
    this.#expected.add(node);
  }

  /** Look up what is expected and can be found for sure. */
  step(): void {
    for (const node of [...this.#expected]) if (this.#isFound(node)) this.#expected.delete(node);
  }

  /** No record is queued: what cannot be found now is gone, or not ours to see. */
  settle(): void {
    this.step();
    const { backend } = this.#directories;
    backend.readAhead();
    if (backend.hasAhead) return; // they may say why it was not found
    for (const node of this.#expected) {
      if (this.#directories.isUnderway(node)) continue;
      node.detach();
      this.#expected.delete(node);
    }
    for (const node of this.#outlived) if (node.isOutlived) this.#directories.drop(node);
    this.#outlived.clear();
  }

  /** @returns whether it is done with */
  #isFound(node: Node): boolean {
    const { backend } = this.#directories;
    const { parent, name } = node;
    if (parent === null || !isInTree(parent)) return true;
    if (this.#directories.moves.isAway(node)) return false;
    if (!node.isAttached) return true; // it has left for good
    backend.readAhead();
    if (backend.isLeftAhead(parent.mark, name)) return false;
    using base = this.#directories.open(parent);
    if (base === null) return false;
    const at = backend.position;
    const directory = this.#openOrNull(base, parent, name);
    if (directory === null) return false;
    return this.#isPlaced(node, { parent, name, directory, at });
  }

  #isPlaced(node: Node, opening: Opening): boolean {
    const { parent, name, directory } = opening;
    const { backend } = this.#directories;
    node.detach();
    const placed = this.#directories.place(opening);
    backend.readAhead();
    const isSure = !backend.isLeftAhead(parent.mark, name);
    if (isSure && placed !== null && placed.isNew && parent.root.below !== null) {
      this.#directories.add(placed.node, { isNew: true, directory });
      return true;
    }
    directory[Symbol.dispose]();
    if (isSure) return true;
    if (placed !== null && placed.isNew) this.#directories.drop(placed.node);
    node.attach();
    return false;
  }

  #openOrNull(base: OpenDirectory, parent: Node, name: Uint8Array): OpenDirectory | null {
    try {
      return base.open(name);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#directories.cannotOpen(parent, name, error);
      return null;
    }
  }
}
