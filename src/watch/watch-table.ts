/**
 * All that one backend watches. Records of directories go to those who keep the tree true by them, and
 * what could not be told by a record waits here for a moment in which none is queued.
 */
import { nowMicroseconds } from "../../ffi/clock.ts";
import { eventBits } from "../event.ts";
import type { Log } from "../log.ts";
import type { Backend, DirectoryEntry, DirectoryMove, GoneReason } from "./backend.ts";
import { Directories } from "./directories.ts";
import { FilesystemRecords } from "./filesystem-records.ts";
import { FilesystemScope } from "./filesystem-scope.ts";
import { Formers } from "./formers.ts";
import { HandleRecords } from "./handle-records.ts";
import { LossClock } from "./loss-clock.ts";
import type { Tell } from "./moves.ts";
import { NameRecords } from "./name-records.ts";
import type { OwnOutputs } from "./own-outputs.ts";
import { RecentlyTold } from "./recently-told.ts";
import type { RootFound } from "./root-marks.ts";
import { RootChecks, type RootObserver } from "./root-checks.ts";
import { RootMounts } from "./root-mounts.ts";
import { RootReports } from "./root-reports.ts";
import { Roots } from "./roots.ts";
import { isOwnOutput, type Mark, type Node, type Root } from "./tree.ts";
import type { Listing } from "./walk.ts";
import { follows, marksFilesystem } from "./want.ts";
import type { WatchedFile } from "./watched-file.ts";
import { WatchedFiles } from "./watched-files.ts";

/** What the table tells of things that no kernel record says. */
export interface TableObserver extends Pick<RootObserver, "rootGone" | "isWanted"> {
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
  /** What is at the path of a root, a moment before it is watched. */
  readonly rootFound?: RootFound;
}

export interface WatchTableOptions {
  readonly log: Log;
  readonly ownOutputs: OwnOutputs;
  readonly observer: TableObserver;
  /** Absent: "rules". */
  readonly serves?: WatchTable["serves"];
}

export class WatchTable {
  readonly backend: Backend;
  /** For gates it only keeps the tree: nobody hears of what happens there. */
  readonly serves: "rules" | "gates";
  readonly told = new RecentlyTold();
  readonly lossClock = new LossClock(nowMicroseconds());
  readonly files: WatchedFiles;
  readonly roots: Roots;
  readonly checks: RootChecks;
  readonly mounts = new RootMounts();
  readonly reports: RootReports;
  readonly #log: Log;
  readonly #ownOutputs: OwnOutputs;
  readonly #directories: Directories;
  readonly #handles: HandleRecords;
  readonly #names: NameRecords;
  /** Roots whose filesystem is watched as a whole; null where that can't be. */
  readonly #scope: FilesystemScope | null;
  readonly #formers: Formers;

  constructor(
    backend: Backend,
    { log, ownOutputs, observer, serves = "rules" }: WatchTableOptions,
  ) {
    this.backend = backend;
    this.serves = serves;
    this.#log = log;
    this.#ownOutputs = ownOutputs;
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
      look: (root) => this.checks.lookAtFile(root),
      passed: (file) => observer.versionPassed(file),
    });
    this.reports = new RootReports(log, backend.name, serves);
    this.#formers = new Formers(backend, this.#directories.places);
    const { files, mounts, reports } = this;
    const shared = { files, mounts, reports, formers: this.#formers };
    this.roots = new Roots(backend, {
      ...shared,
      directories: this.#directories,
      scope: this.#scope,
      ownOutputs,
      onNew: (node) => observer.newDirectory(node, this, null),
      ...(observer.rootFound && { onFound: observer.rootFound }),
    });
    this.checks = new RootChecks(backend, {
      ...shared,
      roots: this.roots,
      observer: {
        rootReplaced: (root, isBeingWritten) => observer.rootReplaced(root, this, isBeingWritten),
        rootGone: () => observer.rootGone(),
        isWanted: (root) => observer.isWanted(root),
      },
    });
    this.#handles = new HandleRecords(this.#directories, whole);
    this.#names = new NameRecords(this.#directories);
  }

  get isWalking(): boolean {
    return this.#directories.isWalking;
  }

  /** `walk` finds more, whatever the records say. */
  get walksOn(): boolean {
    return this.#directories.isWalking && !this.#directories.isStuck;
  }

  /** `walk` has something to do: it may be that only records, or `settle`, can tell more. */
  get needsWalk(): boolean {
    return this.#directories.isWalking || this.#names.isUnsettled;
  }

  /** Something waits for a moment in which no records are queued. */
  get isUnsettled(): boolean {
    return this.mayHoldBack || this.files.isUnsettled || !this.#formers.isEmpty;
  }

  /** Records about what is in directories may have to wait. */
  get mayHoldBack(): boolean {
    const { places, doubt, isStuck } = this.#directories;
    const { isAhead, hasUntold, moves } = places;
    const waits =
      doubt.exists || isStuck || isAhead || hasUntold || this.#scope?.finder.hasLost === true;
    return waits || !moves.isEmpty || this.#names.isUnsettled;
  }

  /** Look for directories in `node` that are not in the tree. They were there before: nothing is told. */
  lookAgainIn(node: Node): void {
    this.#directories.lookAgainIn(node);
  }

  /** Other directories are left out than before: what is still wanted stays watched. */
  reconsider(node: Node): void {
    this.#directories.reconsider(node);
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
    return this.#directories.opener.isStillThere(node);
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

  /** The kernel has had no more records for a while (`renameWaitMs`): what left and did not arrive went somewhere that is not watched. */
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
    this.#formers.settle();
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
    this.checks.afterRead();
    this.#formers.afterRead();
    if (!this.#directories.doubt.isOverdue({ waits: this.walksOn })) return;
    this.#directories.giveUpLostWalks();
    this.#compare();
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
    for (const root of this.roots.values()) this.checks.checkWhenRead(root);
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
        if (node === node.root.node) this.checks.check(node.root, reason);
        else this.#directories.places.drop(node);
        continue;
      }
      this.#directories.places.drop(node, { isDeleted: true });
      if (reason === "unmounted") this.lookAgainIn(parent); // what it hid is there again
    }
  }
}
