/**
 * Records of directories that only say a name (inotify).
 *
 * What has the name by now need not be what the record means. So a new directory is followed by its
 * name, and looked up when no record that is queued says that the name has been given up: then, and
 * only then, is it the one.
 */
import { SyscallError } from "../../ffi/errno.ts";
import { entryEvents, eventBits } from "../event.ts";
import { Awaited } from "./awaited.ts";
import type { DirectoryEntry, MoveKey } from "./backend.ts";
import type { Directories, Opening } from "./directories.ts";
import type { OpenDirectory } from "./open-directory.ts";
import type { Places } from "./places.ts";
import { isInTree, type Mark, Node } from "./tree.ts";
import { isLeftOut } from "./want.ts";

const arrivals = eventBits.create | eventBits.moved_to;

/** The mark of a directory of which only the name is known. */
function noMark(): Mark {
  return { isDirectory: true, identity: null, nodes: [], names: null, mask: 0 };
}

/** A directory has left by the first half of a rename. */
interface Departure {
  readonly node: Node;
  readonly key: MoveKey;
  /** How many directories had been expected by then: it may be in one of them. */
  readonly expected: number;
}

/** A directory's name is another's by now. */
interface Outlived {
  readonly node: Node;
  /** `Node.since`: a move makes it another. */
  readonly since: number;
}

export class NameRecords {
  readonly #directories: Directories;
  readonly #places: Places;
  /** Directories of which only the name is known, and the how manieth each was. */
  readonly #expected = new Map<Node, number>();
  #expectedSoFar = 0;
  /** Directories that came to a name which a later one has already: each leaves by a record that is queued. */
  readonly #outlived: Awaited<Outlived>;
  /** Those whose arrival is not read: where nothing is watched, it has no record. */
  readonly #departures: Awaited<Departure>;
  /** `Backend.position` at the last step. */
  #steppedAt = -1;

  constructor(directories: Directories) {
    const { backend, places } = directories;
    this.#directories = directories;
    this.#places = places;
    this.#outlived = new Awaited(
      backend,
      ({ node, since }) => node.isOutlived && node.since === since,
    );
    this.#departures = new Awaited(backend, ({ node, key }) => places.moves.isAwayBy(node, key));
  }

  /** Something is known in part: a moment without records will tell the rest. */
  get isUnsettled(): boolean {
    return this.#expected.size > 0 || !this.#outlived.isEmpty || !this.#departures.isEmpty;
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
    this.#places.moves.leave(child, key);
    this.#departures.add({ node: child, key, expected: this.#expectedSoFar });
  }

  #giveUp(child: Node): void {
    this.#expected.delete(child);
    this.#places.drop(child, { isDeleted: true });
  }

  /**
   * Another directory has got the name. It replaced an empty one, which is gone; or they changed places
   * (RENAME_EXCHANGE), and the next record is about the one that was there.
   */
  #replace(older: Node): void {
    older.outlive();
    older.standing = "leaves next";
    this.#outlived.add({ node: older, since: older.since });
  }

  #arrive(parent: Node, name: Uint8Array, key: MoveKey | null): void {
    const { backend } = this.#directories;
    const known = key === null ? null : this.#places.moves.take(key, parent.root);
    const latest = parent.latestChild(name);
    const isOldNews = latest !== null && backend.position <= latest.since;
    if (known === null && isOldNews) return; // most likely itself; if not, it has left again
    if (latest !== null && latest !== known && !isOldNews) this.#replace(latest);
    if (known !== null) {
      this.#places.move(known, parent, name, { isOutlived: isOldNews });
      if (isOldNews) this.#outlived.add({ node: known, since: known.since });
      return;
    }
    if (isLeftOut(parent, name)) return;
    const node = new Node(parent.root, noMark(), { parent, name });
    node.since = backend.position;
    node.attach();
    this.#expected.set(node, ++this.#expectedSoFar);
  }

  /**
   * Look up what is expected and can be found for sure, if something was read since the last step: what
   * was not found then is not found now. Where records never cease, give up what is lost for good.
   */
  step(): void {
    const { backend } = this.#directories;
    if (!this.#directories.isWalking && backend.position === this.#steppedAt) return;
    this.#look();
    backend.readAhead(); // what the looks have left behind is no news
    this.#steppedAt = backend.position;
    this.#dropOverdue();
  }

  #look(): void {
    for (const node of [...this.#expected.keys()])
      if (this.#isFound(node)) this.#expected.delete(node);
  }

  #dropOverdue(): void {
    for (const { node } of this.#outlived.overdue()) this.#places.drop(node);
    const overdue = this.#departures.overdue();
    if (overdue.length > 0) for (const node of this.#lostOf(overdue)) this.#drop(node);
  }

  #drop(node: Node): void {
    this.#expected.delete(node);
    this.#places.drop(node);
  }

  /**
   * Which of those that will not arrive by a record will not be found by a look either. They may be in a
   * directory that was expected when they left, and is not found yet; unless that is in one of them.
   */
  #lostOf(departures: readonly Departure[]): ReadonlySet<Node> {
    for (let lost = departures; ;) {
      const nodes = new Set(lost.map(({ node }) => node));
      const isLost = (node: Node): boolean => isInOneOf(node, nodes);
      if (this.#directories.mayFind(isLost)) return new Set();
      const first = this.#firstExpected(isLost);
      const kept = lost.filter(({ node, expected }) => expected < first && node.seen === null);
      if (kept.length === lost.length) return nodes;
      lost = kept;
    }
  }

  /** The how manieth directory the first is that is still expected, but for some. */
  #firstExpected(isLost: (node: Node) => boolean): number {
    for (const [node, number] of this.#expected) if (!isLost(node)) return number;
    return Infinity;
  }

  /** No record is queued: what cannot be found now is gone, or not ours to see. */
  settle(): void {
    this.#look();
    const { backend } = this.#directories;
    backend.readAhead();
    if (backend.hasAhead) return; // they may say why it was not found
    for (const node of this.#expected.keys()) {
      if (this.#places.isUnderway(node)) continue;
      node.detach();
      this.#expected.delete(node);
    }
    for (const { node } of this.#outlived.all()) this.#places.drop(node);
  }

  /** @returns whether it is done with */
  #isFound(node: Node): boolean {
    const { backend } = this.#directories;
    const { parent, name } = node;
    if (parent === null || !isInTree(parent)) return true;
    if (this.#places.moves.isAway(node)) return false;
    if (!node.isAttached) return true; // it has left for good
    if (this.#places.isUnderway(parent)) return false; // its path is that of another moment
    backend.readAhead();
    if (backend.isLeftAhead(parent.mark, name)) return false;
    using base = this.#directories.opener.open(parent);
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
    if (placed !== null && placed.isNew) this.#places.drop(placed.node);
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

/** Whether a directory is one of some, or in one. */
function isInOneOf(node: Node, directories: ReadonlySet<Node>): boolean {
  for (let at: Node | null = node; at !== null; at = at.parent)
    if (directories.has(at)) return true;
  return false;
}
