/** The directories below the roots of one backend: walks find them, and give each its place in the tree. */
import { bytesEqual, latin1 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { identityBeside } from "../../ffi/fanotify/calls.ts";
import { fileStatus } from "../../ffi/files.ts";
import type { Log } from "../log.ts";
import type { Backend } from "./backend.ts";
import { Comparison } from "./comparison.ts";
import { DirectoryOpener } from "./directory-opener.ts";
import { Doubt } from "./doubt.ts";
import type { OpenDirectory } from "./open-directory.ts";
import type { OwnOutputs } from "./own-outputs.ts";
import { PlaceMarks } from "./place-marks.ts";
import { Places } from "./places.ts";
import { addNode, childrenOf, isHiddenIn, joined, type Mark, Node, type Root } from "./tree.ts";
import { type Listing, type Step, type Visit, Walk } from "./walk.ts";
import { follows, isLeftOut, marksFilesystem, wantAt } from "./want.ts";

export interface DirectoriesOptions {
  readonly log: Log;
  readonly ownOutputs: OwnOutputs;
  /** The directory is new, and watched since a moment ago: what is in it has to be told. */
  readonly onNew: (node: Node, listing: Listing) => void;
  /** The directory was known, and is compared with the disk. */
  readonly onCompared: (node: Node, listing: Listing) => void;
  /** A place was given up. */
  readonly onDropped: (node: Node) => void;
}

/** A place for a directory that is held open. */
export interface Opening {
  readonly parent: Node;
  readonly name: Uint8Array;
  readonly directory: OpenDirectory;
  /** `Backend.end` from before the look, or the record's position. */
  readonly at: number;
}

export interface Placed {
  readonly node: Node;
  /** It was not in the tree before. */
  readonly isNew: boolean;
}

/** How often a name is looked up again because records came in while it was. */
const looksMax = 4;

export class Directories {
  readonly backend: Backend;
  readonly doubt = new Doubt();
  readonly opener: DirectoryOpener;
  readonly marks: PlaceMarks;
  readonly places: Places;
  readonly #options: DirectoriesOptions;
  readonly #walk: Walk;
  #comparisons: Comparison[] = [];
  /** `Backend.end` when it was asked last: as long as it stays so, no record has come. */
  #end = -1;

  constructor(backend: Backend, options: DirectoriesOptions) {
    const { log, onDropped } = options;
    const { doubt } = this;
    this.backend = backend;
    this.#options = options;
    this.opener = new DirectoryOpener(backend, { log, doubt });
    this.marks = new PlaceMarks(backend, { log, opener: this.opener });
    const isWalking = (): boolean => this.isWalking;
    this.places = new Places(backend, { marks: this.marks, doubt, isWalking, onDropped });
    this.#walk = new Walk({
      open: (node) => this.opener.find(node),
      listed: ({ node, isNew }, listing) => {
        if (isNew) options.onNew(node, listing);
        else options.onCompared(node, listing);
      },
      found: (visit, directory, name) => this.#found(visit, directory, name),
      failed: ({ node, comparison }, error) => {
        comparison?.seeBelow(node);
        this.opener.sayCannot(node.path, error);
      },
    });
  }

  get isWalking(): boolean {
    return !this.#walk.isOver;
  }

  /** Some root is compared with the disk. */
  get isComparing(): boolean {
    return this.#comparisons.length > 0;
  }

  /** Find the directories below a node. @param isNew what is in it came into being with it */
  add(node: Node, { isNew, directory }: { isNew: boolean; directory?: OpenDirectory }): void {
    this.#walk.add({ node, isNew, comparison: null }, directory ?? null);
  }

  /** Look for directories in `node` that are not in the tree. They were there before: nothing is told. */
  lookAgainIn(node: Node): void {
    if (marksFilesystem(node.root)) this.backend.filesystems?.lookAgain();
    else this.add(node, { isNew: false });
  }

  /** Other directories are left out than before: what is still wanted stays watched. */
  reconsider(node: Node): void {
    if (!node.isDirectory || !follows(node.root)) return;
    for (const child of childrenOf(node))
      if (isLeftOut(node, child.name)) this.places.drop(child);
      else this.reconsider(child);
    this.lookAgainIn(node);
  }

  /** Go on finding for a while. @param directories are listed at most */
  walk(directories: number): void {
    this.#walk.run(directories);
    this.backend.filesystems?.finder?.rest();
    if (this.#comparisons.length === 0) return;
    for (const comparison of this.#comparisons)
      if (comparison.isOver) for (const node of comparison.unseen()) this.places.end(node);
    this.#comparisons = this.#comparisons.filter(({ isOver }) => !isOver);
  }

  /** What is to be walked is not where the tree has it. */
  get isStuck(): boolean {
    return this.#walk.isStuck;
  }

  /** Whether a look, other than into directories that are lost themselves, may still find what has left. */
  mayFind(isLost: (node: Node) => boolean): boolean {
    return this.doubt.exists || this.#walk.mayFind(isLost);
  }

  /** No record is queued that would say where they are: what could not be walked is looked for by a comparison. */
  giveUpLostWalks(): void {
    if (this.#walk.isStuck && this.#walk.giveUpLost().length > 0) this.doubt.raise();
  }

  /** Records were lost: look at everything below a root again. */
  compare({ node }: Root): void {
    if (node === null || !node.isDirectory) return;
    const comparison = new Comparison(node, this.backend.position);
    this.#comparisons.push(comparison);
    this.#walk.add({ node, isNew: false, comparison });
  }

  /** A sub-directory that a walk has come upon. */
  #found(
    { node: parent, isNew, comparison }: Visit,
    base: OpenDirectory,
    name: Uint8Array,
  ): Step | null {
    if (!follows(parent.root) || isLeftOut(parent, name)) return null;
    const opening = this.#look(parent, base, name);
    if (opening === null) return null;
    const { directory } = opening;
    const isExact = marksFilesystem(parent.root) && comparison === null;
    const placed = isExact ? this.#findAsRecorded(opening) : this.place(opening);
    const isFirst = placed !== null && (comparison?.see(placed.node) ?? placed.isNew);
    if (isFirst && parent.root.below !== null) {
      const isNewHere = isNew || (comparison !== null && placed.isNew);
      return { visit: { node: placed.node, isNew: isNewHere, comparison }, directory };
    }
    directory[Symbol.dispose]();
    return null;
  }

  /** Open an entry at a moment at which no record comes in, so that it is known what is older. */
  #look(parent: Node, base: OpenDirectory, name: Uint8Array): Opening | null {
    const { backend } = this;
    const needsQuiet = parent.mark.identity === null;
    if (!needsQuiet) this.#end = backend.end;
    for (let look = 1; ; look++) {
      const at = this.#end;
      const directory = this.#openEntry(parent, base, name);
      if (directory === null) return null;
      if (needsQuiet) this.#end = backend.end;
      if (this.#end === at || look === looksMax) return { parent, name, directory, at };
      directory[Symbol.dispose]();
    }
  }

  #openEntry(parent: Node, base: OpenDirectory, name: Uint8Array): OpenDirectory | null {
    try {
      return base.open(name);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.cannotOpen(parent, name, error);
      return null;
    }
  }

  /** If it is closed to us: that it is opened is a change of it, which the one that it is in tells. */
  cannotOpen(parent: Node, name: Uint8Array, error: SyscallError): void {
    if (error.errno === Errno.EACCES) {
      const key = latin1(name);
      if (parent.closed?.has(key) === true) return;
      const isFirst = parent.closed === null;
      (parent.closed ??= new Set()).add(key);
      if (isFirst) this.marks.refresh(parent);
    }
    this.opener.sayCannot(joined(parent, name), error);
  }

  /** Who may read a directory has changed. What is in it was there before. */
  retryClosed(parent: Node, name: Uint8Array): void {
    if (parent.closed?.delete(latin1(name)) !== true) return;
    if (parent.closed.size === 0) {
      parent.closed = null;
      this.marks.refresh(parent);
    }
    this.add(parent, { isNew: false });
  }

  /**
   * Make a place for a directory, or find the one that it has.
   *
   * @returns null if it cannot be watched, or is the root itself
   */
  place({ parent, name, directory, at }: Opening): Placed | null {
    const { root } = parent;
    try {
      const ownOutputs = this.#options.ownOutputs.namesIn(() => fileStatus(directory.path).inode);
      const isHidden = isHiddenIn(parent, name);
      const holdsOwnOutput = ownOutputs !== null;
      const kind = { isTop: false, isHidden, isDirectory: true, holdsOwnOutput };
      const mark = this.backend.add(directory.path, true, wantAt(root, kind));
      const known = mark.nodes.find((node) => node.root === root);
      if (known !== undefined) {
        if (known.parent === null) return null;
        if (!this.#isStillAt(known, parent, name)) this.places.sight(known, { parent, name, at });
        return { node: known, isNew: false };
      }
      const node = new Node(root, mark, { parent, name });
      node.since = at;
      node.ownOutputs = ownOutputs;
      addNode(mark, node);
      this.#attach(node);
      return { node, isNew: true };
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.cannotOpen(parent, name, error);
      return null;
    }
  }

  /** Make a place for a directory that reports with its whole filesystem: it need not be opened. */
  know(identity: Uint8Array, { parent, name }: Pick<Opening, "parent" | "name">): Node {
    const mark = this.backend.filesystems!.know(identity);
    const node = new Node(parent.root, mark, { parent, name });
    node.since = this.backend.position;
    node.ownOutputs = this.#options.ownOutputs.namesIn(() => this.#inodeOf(parent, identity));
    addNode(mark, node);
    node.attach();
    return node;
  }

  /** Where the records that are read by now have a directory which a walk has come upon. */
  #findAsRecorded({ parent, directory }: Opening): Placed | null {
    const filesystems = this.backend.filesystems!;
    const { identity } = identityBeside(directory.path, parent.mark.identity!);
    const placeHere = (): Node | null => placeOf(filesystems.markOf(identity), parent.root);
    const isNew = placeHere() === null;
    filesystems.finder?.find(identity);
    const node = placeHere();
    return node && { node, isNew };
  }

  #inodeOf(near: Node, identity: Uint8Array): string {
    using directory = this.opener.byIdentity(near, identity);
    return directory === null ? "" : fileStatus(directory.path).inode;
  }

  /** Forget what is below a root: whatever a record names is found anew. */
  forgetBelow(top: Node): void {
    for (const child of childrenOf(top)) this.places.drop(child);
    this.backend.filesystems?.lookAgain();
  }

  /** A bind mount shows it here as well: it has one place in the tree. */
  #isStillAt(known: Node, parent: Node, name: Uint8Array): boolean {
    const isHere = known.parent === parent && bytesEqual(known.name, name);
    if (isHere || known.seen !== null || this.places.moves.isAway(known)) return false;
    return this.opener.isStillThere(known);
  }

  /** A new place takes the name from the directory that still has it in the tree. */
  #attach(node: Node): void {
    const { parent, name } = node;
    const older = parent!.mark.identity === null ? parent!.latestChild(name) : null;
    older?.outlive();
    node.attach();
  }
}

/** The place of an inode below a root. */
export function placeOf(mark: Mark | null, root: Root): Node | null {
  return mark?.nodes.find((node) => node.root === root && node.parent !== null) ?? null;
}
