/** The directories below the roots of one backend: found, followed when they move, given up. */
import { bytesEqual, cString, latin1, utf8 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { identityBeside } from "../../ffi/fanotify/calls.ts";
import { fileStatus, readLink } from "../../ffi/files.ts";
import type { Log } from "../log.ts";
import { quoted } from "../log.ts";
import type { Backend } from "./backend.ts";
import { Comparison } from "./comparison.ts";
import { cannotWatchBelow, causeOf } from "./explain.ts";
import { Moves, type Tell } from "./moves.ts";
import { OpenDirectory } from "./open-directory.ts";
import type { OwnOutputs } from "./own-outputs.ts";
import {
  addNode,
  childrenOf,
  isHiddenIn,
  isInTree,
  joined,
  type Mark,
  Node,
  pathForCall,
  type Root,
  type Sighting,
} from "./tree.ts";
import { follows, isLeftOut, marksFilesystem, wantAt, wantOf } from "./want.ts";
import { type Listing, type Step, type Visit, Walk } from "./walk.ts";

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

const dotDot = utf8("..");
const slash = 0x2f;
const noPath = new Uint8Array(1);

/** <linux/limits.h>, the NUL included: the kernel takes no longer path in one call. */
const PATH_MAX = 4096;

/** A directory that a look has not found, or that a record says is deleted. */
interface Gone {
  readonly node: Node;
  /** `Backend.end` by then. */
  readonly at: number;
  readonly isDeleted: boolean;
  /** `Node.since` by then. */
  readonly since: number;
}

/** How often a name is looked up again because records came in while it was. */
const looksMax = 4;

export class Directories {
  readonly backend: Backend;
  readonly moves = new Moves();
  /** Records are lost, or did not help: all has to be looked at again. */
  isInDoubt = false;
  readonly #options: DirectoriesOptions;
  readonly #walk: Walk;
  #comparisons: Comparison[] = [];
  /** `Backend.end` when it was asked last: as long as it stays so, no record has come. */
  #end = -1;
  /** Seen elsewhere than they are in the tree, which the records will tell, or have told in part. */
  readonly #sighted = new Set<Node>();
  #untold = 0;
  /** Left, and not found until the records come to `at`: it went to where nothing is watched. */
  #away: { readonly node: Node; readonly at: number }[] = [];
  #saidOpenFiles = false;
  /** Gone from the disk: each is given up when the records come to `at`, the lowest first. */
  readonly #gone: Gone[] = [];

  constructor(backend: Backend, options: DirectoriesOptions) {
    this.backend = backend;
    this.#options = options;
    this.#walk = new Walk({
      open: (node) => this.#find(node),
      listed: ({ node, isNew }, listing) => {
        if (isNew) options.onNew(node, listing);
        else options.onCompared(node, listing);
      },
      found: (visit, directory, name) => this.#found(visit, directory, name),
      failed: ({ node, comparison }, error) => {
        comparison?.seeBelow(node);
        this.#sayCannot(node.path, error);
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

  /** Something is known of a moment that the records have not reached yet. */
  get isAhead(): boolean {
    return this.#sighted.size > 0 || this.#gone.length > 0 || this.#away.length > 0;
  }

  /** Find the directories below a node. @param isNew what is in it came into being with it */
  add(node: Node, { isNew, directory }: { isNew: boolean; directory?: OpenDirectory }): void {
    this.#walk.add({ node, isNew, comparison: null }, directory ?? null);
  }

  /** Go on finding for a while. @param directories are listed at most */
  walk(directories: number): void {
    this.#walk.run(directories);
    this.backend.filesystems?.finder?.rest();
    if (this.#comparisons.length === 0) return;
    for (const comparison of this.#comparisons)
      if (comparison.isOver) for (const node of comparison.unseen()) this.end(node);
    this.#comparisons = this.#comparisons.filter(({ isOver }) => !isOver);
  }

  /** What is to be walked is not where the tree has it. */
  get isStuck(): boolean {
    return this.#walk.isStuck;
  }

  /** Whether a look, other than into directories that are lost themselves, may still find what has left. */
  mayFind(isLost: (node: Node) => boolean): boolean {
    return this.isInDoubt || this.#walk.mayFind(isLost);
  }

  /** No record is queued that would say where they are: what could not be walked is looked for by a comparison. */
  giveUpLostWalks(): void {
    if (this.#walk.isStuck && this.#walk.giveUpLost().length > 0) this.isInDoubt = true;
  }

  /** Records were lost: look at everything below a root again. */
  compare({ node }: Root): void {
    if (node === null || !node.isDirectory) return;
    const comparison = new Comparison(node, this.backend.position);
    this.#comparisons.push(comparison);
    this.#walk.add({ node, isNew: false, comparison });
  }

  /**
   * The records have come as far as the looks: what these have seen is true by now.
   *
   * @param inHand a record is being delivered, which may be from before a look that ends with it
   */
  advance({ inHand }: { readonly inHand: boolean }): void {
    const position = this.backend.passed(inHand);
    for (const node of this.#sighted) {
      const { seen } = node;
      if (seen !== null && seen.at > position) continue;
      this.#sighted.delete(node);
      if (seen !== null) this.#settleAt(node, seen.parent, seen.name);
    }
    if (this.#away.length > 0 && !this.isWalking && !this.isInDoubt) this.#dropAway(position);
    if (this.#gone.length > 0) this.#dropGone(position);
  }

  /**
   * A directory is gone, and what happened in it before may be queued still: a look has not found it, or
   * the kernel has added its deletion to an earlier record.
   */
  end(node: Node, { isDeleted = false } = {}): void {
    const at = this.backend.end;
    if (at > this.backend.position) this.#gone.push({ node, at, isDeleted, since: node.since });
    else this.drop(node, { isDeleted });
  }

  #dropGone(position: number): void {
    const later = this.#gone.findIndex(({ at }) => at > position);
    if (later === 0) return;
    const due = this.#gone.splice(0, later < 0 ? this.#gone.length : later);
    for (const gone of due) if (this.#isStillGone(gone)) this.drop(gone.node, gone);
  }

  /** One that a look did not find may have been moved to where that had looked already, as records say by now. */
  #isStillGone({ node, isDeleted, since }: Gone): boolean {
    if (!isInTree(node)) return false;
    return isDeleted || (node.since === since && node.seen === null && !this.moves.isAway(node));
  }

  #dropAway(position: number): void {
    for (const { node, at } of this.#away)
      if (at <= position && node.seen === null && this.moves.isAway(node)) this.drop(node);
    this.#away = this.#away.filter(({ node }) => this.moves.isAway(node));
  }

  #settleAt(node: Node, parent: Node, name: Uint8Array): void {
    node.seen = null;
    if (!isInTree(node) || !isInTree(parent)) return;
    if (node.parent !== parent || !bytesEqual(node.name, name) || this.moves.isAway(node))
      this.move(node, parent, name);
  }

  /**
   * The directory is no longer where it was, but where nothing was watched at that moment: outside, or in
   * a directory that is found by a look or by a record which is queued already. What happens in it waits.
   */
  leave(node: Node): void {
    const at = this.backend.end;
    const mayBeFound = at > this.backend.position || node.seen !== null;
    if (!mayBeFound && !this.isWalking && !this.isInDoubt) return this.drop(node);
    node.detach();
    this.moves.leave(node, node.mark);
    this.#away.push({ node, at });
  }

  /** A directory is at another place of the same root. */
  move(node: Node, parent: Node, name: Uint8Array, { isOutlived = false } = {}): void {
    if (parent === node) {
      this.isInDoubt = true; // names were mistaken: a look at everything finds it
      return;
    }
    this.#breakCycle(node, parent);
    const wasHidden = node.isHidden;
    node.since = this.backend.position;
    node.moveTo(parent, name, { isOutlived });
    if (isLeftOut(parent, name)) return this.drop(node);
    if (node.isHidden !== wasHidden) this.refreshBelow(node);
    for (const tell of this.moves.arrive(node)) tell();
  }

  /** Whether a directory, or one that it is in, is on its way. */
  isAway(node: Node): boolean {
    if (this.moves.isEmpty) return false;
    for (let at: Node | null = node; at !== null; at = at.parent)
      if (this.moves.isAway(at)) return true;
    return false;
  }

  /** Whether it, or a directory that it is in, has no place now, or not the one that it has in the tree. */
  isUnderway(node: Node): boolean {
    for (let at: Node | null = node; at !== null; at = at.parent)
      if (at.seen !== null || this.moves.isAway(at)) return true;
    return false;
  }

  /** No record is queued: what is away, and was not found, went to where nothing is watched. */
  dropLost(): void {
    for (const node of this.moves.nodes) if (node.seen === null) this.drop(node);
  }

  /**
   * What is said to come below itself: something between has left before, and no record told. A look at
   * everything finds where it is.
   */
  #breakCycle(node: Node, parent: Node): void {
    for (let at = parent; at.parent !== null; at = at.parent) {
      if (at.parent !== node) continue;
      this.isInDoubt = true;
      this.leave(at);
      at.parent = node.root.node;
      return;
    }
  }

  /** Keep a record of what happened in a directory that is on its way. @returns whether it is */
  holdBack(node: Node, tell: () => Tell): boolean {
    if (!isInTree(node) && node.standing !== "deleted") return true; // since a moment ago: this is from elsewhere
    if (!this.isAway(node)) return false;
    const answer = this.moves.hold(node, tell());
    if (typeof answer !== "object") return answer === "held";
    this.drop(answer.nowhere);
    this.isInDoubt = true; // if it went to where something is watched, a look at everything finds it
    return true;
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
      if (isFirst) this.refresh(parent);
    }
    this.#sayCannot(joined(parent, name), error);
  }

  /** Who may read a directory has changed. What is in it was there before. */
  retryClosed(parent: Node, name: Uint8Array): void {
    if (parent.closed?.delete(latin1(name)) !== true) return;
    if (parent.closed.size === 0) {
      parent.closed = null;
      this.refresh(parent);
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
        if (!this.#isStillAt(known, parent, name)) this.sight(known, { parent, name, at });
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
    using directory = this.openByIdentity(near, identity);
    return directory === null ? "" : fileStatus(directory.path).inode;
  }

  /** Forget what is below a root: whatever a record names is found anew. */
  forgetBelow(top: Node): void {
    for (const child of childrenOf(top)) this.drop(child);
    this.backend.filesystems?.lookAgain();
  }

  /** A bind mount shows it here as well: it has one place in the tree. */
  #isStillAt(known: Node, parent: Node, name: Uint8Array): boolean {
    const isHere = known.parent === parent && bytesEqual(known.name, name);
    if (isHere || known.seen !== null || this.moves.isAway(known)) return false;
    try {
      return this.backend.recognizes(known.mark, pathForCall(known));
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  /** A new place takes the name from the directory that still has it in the tree. */
  #attach(node: Node): void {
    const { parent, name } = node;
    const older = parent!.mark.identity === null ? parent!.latestChild(name) : null;
    older?.outlive();
    node.attach();
  }

  /** A look has found a directory that is known. */
  sight(node: Node, { parent, name, at }: Sighting): void {
    const isHere = node.parent === parent && bytesEqual(node.name, name);
    const isThere = isHere && !this.moves.isAway(node);
    node.seen = isThere ? null : { parent, name, at };
    if (!isThere) this.#sighted.add(node);
  }

  /** Whether it is what an identity names that is where the tree has a directory. */
  isAtItsPath(node: Node, identity: Uint8Array): boolean {
    try {
      const found = this.backend.identityOf(pathForCall(node));
      return found !== null && bytesEqual(found, identity);
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  /** Where a directory is by now, if that is in a directory of the same root. */
  whereabouts(node: Node, identity: Uint8Array): Omit<Sighting, "at"> | null {
    using directory = this.openByIdentity(node.parent ?? node, identity);
    if (directory === null) return null;
    try {
      const path = readLink(directory.path);
      const mark = this.backend.markAt(directory.entry(dotDot));
      const parent = mark?.nodes.find(({ root }) => root === node.root);
      return parent === undefined
        ? null
        : { parent, name: path.slice(path.lastIndexOf(slash) + 1) };
    } catch (error) {
      if (error instanceof SyscallError) return null;
      throw error;
    }
  }

  /** The directory of a node, wherever it is by now; null if it is not to be found. */
  open(node: Node): OpenDirectory | null {
    const found = this.#find(node);
    return found === "elsewhere" ? null : found;
  }

  /** @returns "elsewhere" if its path leads to something else, and nothing but a record can tell more */
  #find(node: Node): OpenDirectory | "elsewhere" | null {
    const { identity } = node.mark;
    try {
      const directory = this.#openAtPath(node);
      if (directory !== null && this.backend.recognizes(node.mark, directory.path))
        return directory;
      directory?.[Symbol.dispose]();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error.errno === Errno.EACCES || error.errno === Errno.EMFILE) {
        this.#sayCannot(node.path, error);
        return null;
      }
    }
    if (identity === null) return "elsewhere";
    return this.openByIdentity(node.parent ?? node, identity);
  }

  /** @throws {SyscallError} as open(2) */
  #openAtPath(node: Node): OpenDirectory | null {
    const path = pathForCall(node);
    if (node.parent === null) return OpenDirectory.follow(path); // it may be a symbolic link
    if (path.length <= PATH_MAX) return OpenDirectory.at(path);
    using parent = this.open(node.parent);
    return parent && parent.open(node.name);
  }

  /**
   * @param near something on the same filesystem, or below it
   * @returns null if it is gone, or cannot be found so: then all is looked at when the records are read
   */
  openByIdentity(near: Node, identity: Uint8Array): OpenDirectory | null {
    for (let at: Node | null = near; at !== null; at = at.parent) {
      const found = this.backend.openByIdentity(pathForCall(at), identity);
      if (typeof found === "object") return new OpenDirectory(found);
      if (found === "gone") return null;
      if (found === "cannot") break;
    }
    this.isInDoubt = true;
    return null;
  }

  /** Give up a place and all below it; a mark goes with its last place. */
  drop(node: Node, { isDeleted = false } = {}): void {
    for (const child of childrenOf(node)) this.drop(child, { isDeleted });
    const { mark } = node;
    let isGone = isDeleted;
    if (isInTree(node)) {
      mark.nodes = mark.nodes.filter((one) => one !== node);
      if (mark.nodes.length > 0) this.refresh(mark.nodes[0]!);
      else if (isDeleted) this.backend.forget(mark);
      else if (mark.names !== null) this.#narrow(node);
      else isGone = this.#remove(node) === "gone";
    }
    node.detach();
    node.standing = isDeleted ? "deleted" : "latest";
    node.seen = null;
    this.#sighted.delete(node);
    const held = this.moves.forget(node);
    if (isGone) this.#untold += held;
    this.#options.onDropped(node);
  }

  get hasUntold(): boolean {
    return this.#untold > 0;
  }

  /** What was held back about directories that were gone before it was known where they had gone. */
  takeUntold(): number {
    const count = this.#untold;
    this.#untold = 0;
    return count;
  }

  /** Nothing is wanted of a directory any more but the names in it that lead to watched files. */
  #narrow({ mark, path }: Node): void {
    try {
      this.backend.change(mark, cString(path), wantOf(mark));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error; // more is asked than is needed
    }
  }

  /** @returns "gone" if it is known not to be there any more */
  #remove(node: Node): "gone" | "removed" {
    const { mark } = node;
    if (mark.mask === 0) {
      this.backend.remove(mark, noPath); // the kernel has none
      return "removed";
    }
    if (!mark.isDirectory || mark.identity === null) {
      this.backend.remove(mark, pathForCall(node));
      return "removed";
    }
    using directory = this.open(node);
    if (directory === null) this.backend.forget(mark);
    else this.backend.remove(mark, directory.path);
    return directory === null ? "gone" : "removed";
  }

  /** The same for all places below. */
  refreshBelow(node: Node): void {
    this.refresh(node);
    for (const child of childrenOf(node)) this.refreshBelow(child);
  }

  /** Ask the kernel for what is wanted of a place now. */
  refresh(node: Node): void {
    const { mark } = node;
    if (!isInTree(node)) return; // only its name is known
    if (mark.mask === 0 && mark.nodes.every(reportsWithFilesystem)) return;
    try {
      if (!mark.isDirectory) return this.backend.change(mark, pathForCall(node), wantOf(mark));
      using directory = this.open(node);
      if (directory !== null) this.backend.change(mark, directory.path, wantOf(mark));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      const cause = causeOf(error, this.backend.name);
      this.#options.log.warn(`Cannot change the watch on ${quoted(node.path)}: ${cause}`);
    }
  }

  /** Gone since, or another thing: its own records say so. Anything else hides a part of the tree. */
  #sayCannot(path: Uint8Array, error: SyscallError): void {
    const { errno } = error;
    if (errno === Errno.ENOENT || errno === Errno.ENOTDIR || errno === Errno.ELOOP) return;
    if (errno === Errno.EMFILE) {
      if (this.#saidOpenFiles) return;
      this.#saidOpenFiles = true; // it is the same for each directory
    }
    this.#options.log.warn(cannotWatchBelow(path, error, this.backend.name));
  }
}

function reportsWithFilesystem({ parent, root }: Node): boolean {
  return parent !== null && marksFilesystem(root);
}

/** The place of an inode below a root. */
export function placeOf(mark: Mark | null, root: Root): Node | null {
  return mark?.nodes.find((node) => node.root === root && node.parent !== null) ?? null;
}
