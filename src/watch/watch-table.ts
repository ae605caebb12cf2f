/** The roots, places and marks of one backend, kept true while directories come, go and are renamed. */
import { eventBits } from "../event.ts";
import { cString, fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { nowMicroseconds } from "../../ffi/clock.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { fileStatus, RawStatus, S_IFDIR, S_IFREG } from "../../ffi/files.ts";
import { isBeingWritten } from "../../ffi/lease.ts";
import { type Log, quoted } from "../log.ts";
import type { Scope } from "../rule/rule.ts";
import type { Backend, DirectoryEntry, DirectoryMove, GoneReason } from "./backend.ts";
import type { Mark } from "./tree.ts";
import { Directories } from "./directories.ts";
import { causeOf } from "./explain.ts";
import { FilesystemRecords } from "./filesystem-records.ts";
import { FilesystemScope } from "./filesystem-scope.ts";
import { HandleRecords } from "./handle-records.ts";
import { type OwnOutputs, statusOrNull } from "./own-outputs.ts";
import type { Tell } from "./moves.ts";
import { LossClock } from "./loss-clock.ts";
import { mountsBelow } from "./mount-paths.ts";
import { NameRecords } from "./name-records.ts";
import { OpenPath } from "./open-path.ts";
import { inodeIn, mountIn } from "./poll-snapshot.ts";
import { RecentlyTold } from "./recently-told.ts";
import type { WatchedFile } from "./watched-file.ts";
import { WatchedFiles } from "./watched-files.ts";
import { isGone } from "./side-watch.ts";
import {
  addNode,
  childrenOf,
  isInTree,
  isOwnOutput,
  Node,
  pathForCall,
  type Root,
} from "./tree.ts";
import type { Listing } from "./walk.ts";
import { exclusionsOf, follows, isLeftOut, marksFilesystem, wantAt } from "./want.ts";

/** How often the path of a root is looked at again because it was replaced meanwhile: a look takes 20 us. */
const looksMax = 100;

const nothingThere = "nothing ";
const slash = 0x2f;

const fileKind = { isTop: true, isHidden: false, holdsOwnOutput: false } as const;

interface Former {
  readonly node: Node;
  /** What happened to it may be queued up to there; "rest": until no record is queued. */
  readonly until: number | "rest";
}

type FoundRoot = Pick<Node, "mark" | "inode" | "ownOutputs">;

/** What is wanted of a root. */
export interface RootWants extends Pick<Root, "top" | "below" | "belowHidden" | "isStrict"> {
  /** Absent: "tree". */
  readonly scope?: Scope;
  /** It was not there before: what is in it came with it. */
  readonly isNew?: boolean;
}

/** What the table tells of things that no kernel record says. */
export interface TableObserver {
  /** The directory is new, and watched since a moment ago: what is in it already has to be told. */
  newDirectory(node: Node, table: WatchTable, listing: Listing | null): void;
  /** All that is in a directory of the tree, which is compared with the disk. */
  compared(node: Node, table: WatchTable, listing: Listing): void;
  /** A place was given up: what was found there is not there any more. */
  placeDropped(node: Node): void;
  /**
   * Another file is at the path of a root than before.
   *
   * @param isBeingWritten somebody had it open for writing when it was watched already
   */
  rootReplaced(root: Root, table: WatchTable, isBeingWritten: boolean): void;
  /** A file was at the path of a root, and is not any more: nothing was known of it. */
  versionPassed(file: WatchedFile): void;
  /** Nothing is at the path of a root any more, or nothing that its rules want. */
  rootGone(): void;
  /** Whether what is at the path of a root now is what its rules want to watch. */
  isWanted(root: Root): boolean;
}

export class WatchTable {
  readonly backend: Backend;
  readonly roots = new Map<string, Root>();
  readonly told = new RecentlyTold();
  readonly lossClock = new LossClock(nowMicroseconds());
  readonly files: WatchedFiles;
  readonly #log: Log;
  readonly #ownOutputs: OwnOutputs;
  readonly #observer: TableObserver;
  readonly #directories: Directories;
  readonly #handles: HandleRecords;
  readonly #names: NameRecords;
  /** Roots whose filesystem is watched as a whole; null where that can't be. */
  readonly #scope: FilesystemScope | null;
  /** Files that were replaced, as a look has found. */
  #formers: Former[] = [];
  /** Roots to be looked for when the records have come to there (`Backend.position`). */
  readonly #toCheck = new Map<Root, number>();
  /** By path: what was there, as `placeAt` has it, before something was mounted above, or unmounted. */
  readonly #covered = new Map<string, string>();
  /** The same of what is watched. */
  readonly #places = new WeakMap<Root, string>();
  /** Roots of which the log says that they are no longer there. */
  readonly #gone = new WeakSet<Root>();

  constructor(
    backend: Backend,
    { log, ownOutputs, observer }: { log: Log; ownOutputs: OwnOutputs; observer: TableObserver },
  ) {
    this.backend = backend;
    this.#log = log;
    this.#ownOutputs = ownOutputs;
    this.#observer = observer;
    this.#directories = new Directories(backend, {
      log,
      ownOutputs,
      onNew: (node, listing) => observer.newDirectory(node, this, listing),
      onCompared: (node, listing) => observer.compared(node, this, listing),
      onDropped: (node) => observer.placeDropped(node),
    });
    const { filesystems } = backend;
    this.#scope = filesystems && new FilesystemScope(filesystems, this.#directories);
    const whole = this.#scope && new FilesystemRecords(this.#directories, this.#scope.finder);
    this.files = new WatchedFiles(backend, {
      log,
      look: (root) => this.#lookAtFile(root),
      passed: (file) => observer.versionPassed(file),
    });
    this.#handles = new HandleRecords(this.#directories, whole);
    this.#names = new NameRecords(this.#directories);
  }

  get isWalking(): boolean {
    return this.#directories.isWalking;
  }

  /** `walk` has something to do. */
  get needsWalk(): boolean {
    return this.#directories.isWalking || this.#names.isUnsettled;
  }

  /** Something waits for a moment in which no records are queued. */
  get isUnsettled(): boolean {
    return this.mayHoldBack || this.files.isUnsettled || this.#formers.length > 0;
  }

  /** Records about what is in directories may have to wait. */
  get mayHoldBack(): boolean {
    const { places, doubt, isStuck } = this.#directories;
    const { isAhead, hasUntold, moves } = places;
    const waits =
      doubt.exists || isStuck || isAhead || hasUntold || this.#scope?.finder.hasLost === true;
    return waits || !moves.isEmpty || this.#names.isUnsettled;
  }

  /** Watch a path, or change what is wanted of one that is watched. @throws {SyscallError} about the path */
  setRoot(path: Uint8Array, wants: RootWants): Root {
    const known = this.roots.get(latin1(path));
    if (known !== undefined) {
      this.#changeRoot(known, wants);
      return known;
    }
    const { namesSubdirectories } = this.backend;
    const noticesNames = !this.#ownOutputs.isEmpty;
    const { isNew = false, scope = "tree", ...interests } = wants;
    const root: Root = { path, scope, ...interests, node: null, namesSubdirectories, noticesNames };
    try {
      this.#placeRoot(root, isNew);
    } catch (error) {
      this.files.forget(root);
      throw error;
    }
    this.roots.set(latin1(path), root);
    return root;
  }

  removeRoot(root: Root): void {
    this.roots.delete(latin1(root.path));
    this.#toCheck.delete(root);
    this.files.forget(root);
    this.#dropFormers(({ node }) => node.root === root);
    this.#dropRoot(root);
  }

  /** Whether what is at a path now was watched there until something was mounted above. */
  isUncovered(path: Uint8Array): boolean {
    const place = this.#covered.get(latin1(path));
    return place !== undefined && placeAt(path) === place;
  }

  #dropRoot(root: Root): void {
    if (root.node === null) return;
    const { mark } = root.node;
    this.#directories.places.drop(root.node);
    root.node = null;
    this.#scope?.remove(root, mark.identity);
  }

  /** Look for directories in `node` that are not in the tree. They were there before: nothing is told. */
  lookAgainIn(node: Node): void {
    if (marksFilesystem(node.root)) this.backend.filesystems?.lookAgain();
    else this.#directories.add(node, { isNew: false });
  }

  /** The mode or the owner of a directory has changed. */
  noticeAccess(node: Node, name: Uint8Array): void {
    this.#directories.retryClosed(node, name);
  }

  /** Another directory is at a place below a root, or none: a look will tell. */
  giveUp(node: Node, { isUnmounted = false } = {}): void {
    this.#directories.places.drop(node, { isDeleted: isUnmounted });
  }

  /** Whether it is the directory of a place that is at its path. */
  isStillThere(node: Node): boolean {
    try {
      return this.backend.recognizes(node.mark, pathForCall(node));
    } catch (error) {
      if (error instanceof SyscallError) return false;
      throw error;
    }
  }

  /** Find sub-directories for a while: at most `directories` are listed, then others get their turn. */
  walk(directories: number): void {
    this.#names.step();
    this.#directories.walk(directories);
  }

  directoryEntry(node: Node, entry: DirectoryEntry): void {
    if (!follows(node.root)) return;
    this.#directories.doubt.noticeRecord();
    this.#directories.places.advance({ inHand: true });
    if (entry.isUnsure === true) this.doubt();
    // In a tree of several queues some may say handles, and some names.
    if (node.mark.identity === null) this.#names.entry(node, entry);
    else this.#handles.entry(node, entry);
  }

  directoryMoved(move: DirectoryMove): void {
    this.#directories.doubt.noticeRecord();
    this.#directories.places.advance({ inHand: true });
    if (move.isUnsure === true) this.doubt();
    this.#handles.moved(move);
  }

  /** Whether it, or a directory that it is in, is not where the tree has it: what is told of it waits. */
  isUnderway(node: Node): boolean {
    return this.#directories.places.isUnderway(node);
  }

  /**
   * Whether a place is, for now, nowhere: in a directory that has left, and whose arrival is not read yet.
   *
   * @param tell makes what is called when it has arrived, and never if that was somewhere that is not watched
   */
  holdBack(node: Node, tell: () => Tell): boolean {
    if (this.#directories.places.isAhead) this.#directories.places.advance({ inHand: true });
    return this.#directories.places.holdBack(node, tell);
  }

  /**
   * A name came up in a watched directory: it may be facron's own output under another name, or another
   * file under the name of that.
   */
  noticeName(node: Node, events: number, name: Uint8Array, start: number, end: number): void {
    if (this.#ownOutputs.isEmpty) return;
    const isMoved = (events & eventBits.moved_to) !== 0;
    if (!isMoved && !isOwnOutput(node, name, start, end)) return;
    const held = node.ownOutputs !== null;
    this.#ownOutputs.noticeNewName(node, name.slice(start, end));
    if ((node.ownOutputs !== null) !== held) this.#directories.marks.refresh(node);
  }

  /** The kernel has no more records: what left and did not arrive went somewhere that is not watched. */
  settle(): void {
    this.#directories.places.advance({ inHand: false });
    // What a walk is about to find is not new, as it would be for a comparison.
    this.#directories.giveUpLostWalks();
    if (this.#directories.doubt.exists && !this.isWalking) this.#compare();
    if (this.isWalking) return; // it may be found
    this.#names.settle();
    if (this.isWalking || this.backend.hasAhead) return;
    this.#directories.places.dropLost();
    this.#sayUntold();
    this.files.settle();
    this.#dropFormers(({ until }) => until === "rest");
    this.#sayLost();
  }

  #sayLost(): void {
    const count = this.#scope?.finder.takeLost() ?? 0;
    if (count === 0) return;
    const what = count === 1 ? "A directory was" : `${count} directories were`;
    this.#log.warn(
      `Some events may be missing: ${what} deleted, or replaced by another, before it was seen where; ` +
        "facron was too far behind",
    );
  }

  #sayUntold(): void {
    const count = this.#directories.places.takeUntold();
    if (count === 0) return;
    this.#log.warn(
      `${count} events are not told: they happened in directories that were moved, and deleted before ` +
        "it was seen where to; facron was too far behind",
    );
  }

  #compare(): void {
    if (!this.#directories.doubt.take()) return;
    for (const root of this.roots.values()) {
      if (marksFilesystem(root) && root.node !== null) this.#directories.forgetBelow(root.node);
      else if (follows(root)) this.#directories.compare(root);
    }
  }

  /** What has been read is told. */
  afterRead(): void {
    const { position } = this.backend;
    for (const [root, until] of this.#toCheck)
      if (until <= position && this.#toCheck.delete(root)) this.checkRoot(root, "moved");
    if (this.#formers.length > 0)
      this.#dropFormers(({ until }) => until !== "rest" && until <= position);
    const waits = (): boolean => this.isWalking && !this.#directories.isStuck;
    if (!this.#directories.doubt.isOverdue(waits)) return;
    this.#directories.giveUpLostWalks();
    this.#compare();
  }

  #dropFormers(isOver: (former: Former) => boolean): void {
    const over = this.#formers.filter(isOver);
    this.#formers = this.#formers.filter((one) => !over.includes(one));
    for (const { node } of over) if (isInTree(node)) this.#directories.places.drop(node);
  }

  /** Records do not tell where directories are: the tree has to be compared with what is there. */
  doubt(): void {
    const { doubt } = this.#directories;
    doubt.noticeRecord();
    doubt.raise();
  }

  /** Look at all that is watched. */
  compareAll(): void {
    this.#directories.doubt.clear();
    this.files.lost();
    for (const root of this.roots.values()) this.checkRootWhenRead(root);
    for (const root of this.roots.values()) this.#directories.compare(root);
  }

  get isComparing(): boolean {
    return this.#directories.isComparing;
  }

  markGone(mark: Mark, reason: GoneReason): void {
    this.#directories.doubt.noticeRecord();
    for (const node of [...mark.nodes]) {
      const { parent } = node;
      if (parent === null) {
        if (node === node.root.node) this.checkRoot(node.root, reason);
        else this.#directories.places.drop(node);
        continue;
      }
      this.#directories.places.drop(node, { isDeleted: true });
      if (reason === "unmounted") this.lookAgainIn(parent); // what it hid is there again
    }
  }

  /** Whether the root's path still leads to the watched file. */
  isRootThere({ path, node }: Root): boolean {
    return node === null || statusOrNull(cString(path))?.inode === node.inode;
  }

  /**
   * A look says that the root's path may lead elsewhere, and no record of its own: what happened to it, and
   * in it, until now may be queued still, its end included, and is read first.
   */
  checkRootWhenRead(root: Root): void {
    if (this.isRootThere(root)) return;
    const { end, position } = this.backend;
    if (end > position) this.#toCheck.set(root, end);
    else this.checkRoot(root, "moved");
  }

  /** Whether the root's path still leads to the watched file; if not, watch what is there now. */
  checkRoot(root: Root, reason: GoneReason | "mounted"): void {
    if (root.node === null) return;
    const status = statusOrNull(cString(root.path));
    const isThere = status?.inode === root.node.inode;
    if (isThere && reason !== "deleted" && reason !== "unmounted") return;
    if (status === null) this.#sayGone(root, reason);
    // Its name went: if that was the last, its end is the next that the kernel says.
    if (status === null && reason === "changed") return;
    // What a mount shows or hides was there before.
    const isElsewhere = mountOf(this.#placeOf(root)) !== mountOf(nearestTo(root.path));
    if (isElsewhere && (reason === "mounted" || reason === "moved"))
      this.#covered.set(latin1(root.path), this.#placeOf(root));
    if (reason === "changed") this.#awaitEnd(root, root.node);
    else this.#dropRoot(root);
    if (status === null || !this.#observer.isWanted(root)) return this.#observer.rootGone();
    try {
      const isNew = reason === "deleted" || reason === "moved";
      this.#placeRoot(root, isNew && !isElsewhere);
      this.#sayReplaced(root);
      this.tellReplaced(root);
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (isGone(error)) {
        this.#sayGone(root, reason); // between the two looks
        return this.#observer.rootGone();
      }
      this.#sayCannot(root, error);
    }
  }

  /** As `placeAt` had it. */
  #placeOf(root: Root): string {
    return this.#places.get(root) ?? nothingThere;
  }

  /**
   * One of its links went, and another file has its name. If it was the last, and nobody has it open, its
   * `delete_self` is queued by the call that replaced it. Nothing else is told of it any more.
   */
  #awaitEnd(root: Root, node: Node): void {
    node.standing = "replaced";
    this.#formers.push({ node, until: "rest" });
    root.node = null;
  }

  /** A record says that another file is there: it may be the one that is watched already. */
  #lookAtFile(root: Root): "another" | "the same" | "none" {
    const { node } = root;
    if (!this.#observer.isWanted(root)) {
      if (node !== null) this.#directories.places.drop(node);
      root.node = null;
      this.#observer.rootGone();
      return "none";
    }
    try {
      const found = this.#markRoot(root);
      if (node !== null && found.mark === node.mark) return "the same";
      if (node !== null) this.#formers.push({ node, until: this.backend.end });
      this.#putRoot(root, found, { isNew: true });
      if (node !== null) this.#sayReplaced(root);
      this.tellReplaced(root);
      return "another";
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      // Whatever was watched tells its end itself.
      if (!isGone(error)) this.#sayCannot(root, error);
      return "none";
    }
  }

  /** Another file is at the path of a root, or the first. */
  tellReplaced(root: Root): void {
    const { node } = root;
    if (node === null || node.isDirectory) return;
    const file = this.files.get(root)!;
    this.files.found(file);
    this.#observer.rootReplaced(root, this, file.isBeingWritten);
  }

  #sayCannot({ path }: Root, error: SyscallError): void {
    this.#log.warn(`Cannot watch ${quoted(path)} any longer: ${causeOf(error, this.backend.name)}`);
  }

  #sayReplaced(root: Root): void {
    this.#log.info(`${quoted(root.path)} was replaced: watching the new one`);
  }

  #sayGone(root: Root, reason: GoneReason | "mounted"): void {
    if (this.#gone.has(root)) return;
    this.#gone.add(root);
    const state = reason === "unmounted" ? "its filesystem was unmounted" : "it is no longer there";
    this.#log.warn(
      `Cannot watch ${quoted(root.path)} any longer: ${state}; ` +
        "it is watched again as soon as it is back",
    );
  }

  #placeRoot(root: Root, isNew = false): void {
    this.#putRoot(root, this.#markRoot(root, isNew), { isNew });
  }

  #putRoot(
    root: Root,
    { mark, inode, ownOutputs }: FoundRoot,
    { isNew }: { readonly isNew: boolean },
  ): void {
    const node = new Node(root, mark, { parent: null, name: root.path });
    node.ownOutputs = ownOutputs;
    node.inode = inode;
    addNode(mark, node);
    root.node = node;
    const place = placeAt(root.path);
    this.#places.set(root, place);
    if (this.#covered.get(latin1(root.path)) === place) this.#covered.delete(latin1(root.path));
    this.#dropFormers((former) => former.node.root === root && former.node.mark === mark); // it is back
    this.#watchFilesystem(root);
    if (mark.isDirectory && marksFilesystem(root)) this.sayMountedBelow(root, mountsBelow(root));
    this.#gone.delete(root);
    if (!mark.isDirectory) return;
    if (marksFilesystem(root) && !isNew) return;
    if (follows(root)) this.#directories.add(node, { isNew });
    else if (isNew) this.#observer.newDirectory(node, this, null);
  }

  /** @param paths one char for one byte */
  sayMountedBelow({ path: top }: Root, paths: readonly string[]): void {
    for (const path of paths)
      this.#log.warn(
        `Cannot watch ${quoted(fromLatin1(path))} below ${quoted(top)}: something else is mounted there, ` +
          'and scope "filesystem" is one filesystem\'s; give it a rule of its own, or use scope "tree"',
      );
  }

  /** @throws {SyscallError} if that can't be: then it is not watched at all */
  #watchFilesystem(root: Root): void {
    try {
      this.#scope?.set(root);
    } catch (error) {
      this.#dropRoot(root);
      throw error;
    }
  }

  #markRoot(root: Root, isNew = true): FoundRoot {
    const path = cString(root.path);
    if (statusOrNull(path)?.kind !== S_IFDIR) return this.#markFile(root, isNew);
    this.files.forget(root);
    for (let look = 1; ; look++) {
      using held = OpenPath.follow(path);
      const { kind, inode } = fileStatus(held.path);
      if (kind !== S_IFDIR) return this.#markFile(root, isNew);
      const ownOutputs = this.#ownOutputs.namesIn(() => inode);
      const holdsOwnOutput = ownOutputs !== null;
      const want = wantAt(root, {
        isTop: true,
        isHidden: false,
        isDirectory: true,
        holdsOwnOutput,
      });
      const mark = this.backend.add(held.path, true, want);
      if (look === looksMax || statusOrNull(path)?.inode === inode)
        return { mark, inode, ownOutputs };
      if (mark.nodes.length === 0 && mark.names === null) this.backend.remove(mark, held.path);
    }
  }

  /**
   * A file that is saved again and again is another one at each call that names it by its path: it is held,
   * at a moment at which no record comes in, and then marked. What comes to the path after that has a
   * record of its own.
   */
  #markFile(root: Root, isNew: boolean): FoundRoot {
    const path = cString(root.path);
    const isTold = isNew || this.files.get(root) !== null;
    let file: WatchedFile | null = null;
    for (let look = 1; ; look++) {
      const { end } = this.backend;
      if (file === null || file.links !== "") file = this.files.follow(root, { isNew });
      using held = OpenPath.follow(path);
      const isSure = this.backend.end === end && file.hasSameLinks();
      if (!isSure && look < looksMax) continue;
      file.wasFound(end);
      const { kind, inode } = fileStatus(held.path);
      const want = wantAt(root, { ...fileKind, isDirectory: kind === S_IFDIR });
      const mark = this.backend.add(held.path, kind === S_IFDIR, want);
      // Whoever closes it after this has a record of that.
      file.isBeingWritten =
        isTold && kind === S_IFREG && isBeingWritten(held.path, { followSymlink: true });
      return { mark, inode, ownOutputs: null };
    }
  }

  #changeRoot(root: Root, wants: RootWants): void {
    const { top, below, belowHidden, isStrict, scope = "tree", isNew = false } = wants;
    const before = reachOf(root);
    root.isStrict = isStrict;
    const exclusions = exclusionsOf(root);
    root.top = top;
    root.below = below;
    root.belowHidden = belowHidden;
    root.scope = scope;
    // What else comes to the path of a file that is followed has a record.
    if (isNew !== true || this.files.get(root) === null) this.#dropIfReplaced(root);
    if (root.node === null) return this.#placeRoot(root, isNew);
    const changes = reachOf(root) !== before;
    this.#scope?.set(root);
    if (changes) this.#directories.forgetBelow(root.node);
    this.#directories.marks.refreshBelow(root.node);
    if (marksFilesystem(root))
      return void (exclusionsOf(root) !== exclusions && this.reconsider(root.node));
    if (changes && root.node.isDirectory && follows(root))
      this.#directories.add(root.node, { isNew: false });
    else if (exclusionsOf(root) !== exclusions) this.reconsider(root.node);
  }

  /** Other directories are left out than before: what is still wanted stays watched. */
  reconsider(node: Node): void {
    if (!node.isDirectory || !follows(node.root)) return;
    for (const child of childrenOf(node))
      if (isLeftOut(node, child.name)) this.#directories.places.drop(child);
      else this.reconsider(child);
    if (marksFilesystem(node.root)) this.backend.filesystems?.lookAgain();
    else this.#directories.add(node, { isNew: false });
  }

  /** A reload resolves every path anew: a symbolic link may lead elsewhere by now. */
  #dropIfReplaced(root: Root): void {
    if (root.node === null) return;
    if (statusOrNull(cString(root.path))?.inode === root.node.inode) return;
    this.#dropRoot(root);
  }
}

/** What is at a path, and by which mount: the same filesystem that is mounted anew is another. */
function placeAt(path: Uint8Array): string {
  const status = new RawStatus();
  return status.read(cString(path), 0) === 0
    ? `${mountIn(status)} ${inodeIn(status)}`
    : nothingThere;
}

/** The same for the nearest directory above that is there. */
function nearestTo(path: Uint8Array): string {
  for (let end = path.length; end > 0; end = path.lastIndexOf(slash, end - 1)) {
    const place = placeAt(path.subarray(0, end));
    if (place !== nothingThere) return place;
  }
  return placeAt(path.subarray(0, 1));
}

function mountOf(place: string): string {
  return place.slice(0, place.indexOf(" "));
}

/** On which directories below a root there are marks: when it changes, they are looked for anew. */
function reachOf(root: Root): string {
  return `${follows(root)} ${root.below !== null} ${root.belowHidden !== null} ${root.scope}`;
}
