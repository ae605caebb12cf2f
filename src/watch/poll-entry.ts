/** One entry of a polled directory: what has become of it since the last look. */
import { bytesEqual } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";
import { AT } from "../../ffi/fd.ts";
import { RawStatus, S_IFDIR } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import type { Place } from "./backend.ts";
import type { Appeared, PollChanges } from "./poll-changes.ts";
import { lookInside, quietLooksNeeded } from "./poll-complete.ts";
import type { PollFilesystem, PollFilesystems } from "./poll-filesystems.ts";
import type { PathBuffer } from "./poll-path.ts";
import { markOf, type PolledRoot, type PollMark } from "./poll-places.ts";
import {
  deviceIn,
  type Difference,
  hasArrived,
  hasLeft,
  identityIn,
  inodeIn,
  isFresh,
  isOpenEnded,
  kindIn,
  quietLooks,
  type Snapshot,
} from "./poll-snapshot.ts";
import { type Node, pathForCall } from "./tree.ts";
import { follows, isLeftOut } from "./want.ts";

export interface EntryLookOptions {
  readonly log: Log;
  readonly changes: PollChanges;
  readonly filesystems: PollFilesystems;
  /** Leads to the entry in hand. */
  readonly path: PathBuffer;
  /** What was just read of it. */
  readonly status: RawStatus;
  /** A directory to look into. */
  readonly lookLater: (node: Node) => void;
}

export class EntryLook {
  readonly #options: EntryLookOptions;
  readonly #difference: Difference = { content: false, attributes: false };
  // The directory in hand.
  #node!: Node;
  #mark!: PollMark;
  #root!: PolledRoot;
  #wantsClosed = false;
  readonly #other = new RawStatus();
  /** What holds for the directory in hand. */
  filesystem!: PollFilesystem;

  constructor(options: EntryLookOptions) {
    this.#options = options;
  }

  /** What follows is in this directory, whose status was just read; or it is this file. */
  enter(node: Node): void {
    const { filesystems, status } = this.#options;
    this.#node = node;
    this.#mark = markOf(node);
    this.#root = node.root as PolledRoot;
    this.#wantsClosed = ((node.interests?.events ?? 0) & eventBits.close_write) !== 0;
    this.filesystem = filesystems.at(deviceIn(status), node.path);
  }

  /** The directory in hand, or the file. */
  get node(): Node {
    return this.#node;
  }

  /** @param index in `before`, -1 if it is new */
  look(name: Uint8Array, before: Snapshot, index: number, next: Snapshot): void {
    const isKnown = index >= 0 && (before.state(index) & hasLeft) === 0;
    if (isKnown && this.isSame(before, index)) {
      const own = next.copy(before, index);
      this.compare(next, own, name);
      return;
    }
    if (isKnown && this.#isOtherFilesystem(before, index, name)) return this.#cover(name, next);
    if (isKnown) this.vanish(before, index, true);
    this.#appear(name, next);
  }

  /** Something was mounted over a directory, or unmounted: what is below was neither deleted nor made. */
  #isOtherFilesystem(before: Snapshot, index: number, name: Uint8Array): boolean {
    if (!before.isDirectory(index) || kindIn(this.#options.status) !== S_IFDIR) return false;
    const node = this.#node.latestChild(name);
    return node !== null && markOf(node).device !== this.#device();
  }

  #cover(name: Uint8Array, next: Snapshot): void {
    const { log, status } = this.#options;
    const node = this.#node.latestChild(name)!;
    log.info(`Another filesystem is at ${quoted(node.path)}: polling that from now on`);
    this.#root.tree.places.drop(node);
    next.add(name, status);
    this.#appearDirectory(name, true);
  }

  isSame(snapshot: Snapshot, index: number): boolean {
    const { inodesChange } = this.filesystem;
    const { status } = this.#options;
    if (snapshot.isSame(index, status, false)) return true;
    if (!inodesChange || !snapshot.isSame(index, status, true)) return false;
    // Another number, and it is that of another directory: which was renamed to here.
    return !snapshot.isDirectory(index) || this.#root.tree.places.find(this.#fileKey()) === null;
  }

  /** The same file as at the last look. */
  compare(snapshot: Snapshot, index: number, name: Uint8Array): void {
    const { changes, status } = this.#options;
    const difference = this.#difference;
    snapshot.compare(index, status, difference);
    const isDirectory = kindIn(status) === S_IFDIR;
    const isOpen = (snapshot.state(index) & isOpenEnded) !== 0;
    if (difference.content || difference.attributes) {
      snapshot.store(index, status);
      // A directory's content are its entries, which are looked at for themselves.
      const events = difference.content && !isDirectory ? eventBits.modify : 0;
      const told = events | (difference.attributes ? eventBits.attrib : 0);
      if (told !== 0) changes.change(this.#place(name), told, isDirectory);
    }
    if (isDirectory && name.length > 0) this.#keepDirectory(name);
    else if (difference.content && snapshot.isFile(index)) this.beginLife(snapshot, index, name);
    else if (isOpen) this.#lookForEnd(snapshot, index, name);
  }

  /** Something was written: from now on its completion is waited for. */
  beginLife(snapshot: Snapshot, index: number, name: Uint8Array): void {
    if (!this.#wantsClosed || !snapshot.isFile(index)) return;
    const { path, status } = this.#options;
    lookInside(path.join(name), status);
    snapshot.store(index, status);
    snapshot.setState(index, (snapshot.state(index) & hasArrived) | isOpenEnded);
  }

  #lookForEnd(snapshot: Snapshot, index: number, name: Uint8Array): void {
    const { changes, path, status } = this.#options;
    const isWritten = lookInside(path.join(name), status);
    const before = snapshot.state(index);
    if (!this.isSame(snapshot, index)) return; // the next look tells
    snapshot.compare(index, status, this.#difference);
    snapshot.store(index, status);
    if (this.#difference.content) changes.change(this.#place(name), eventBits.modify, false);
    const isQuiet = !this.#difference.content && !this.#difference.attributes;
    const more = this.#root.isWholeInterval ? 1 : 0;
    const quiet = isQuiet ? Math.min((before & quietLooks) + more, quietLooks) : 0;
    const needed = quietLooksNeeded(this.#root.intervalMs, snapshot.hasCoarseTimes(index));
    const isComplete = quiet >= needed && !isWritten;
    snapshot.setState(index, isComplete ? 0 : (before & ~quietLooks) | quiet);
    if (!isComplete) return;
    const arrival = (before & hasArrived) !== 0 ? eventBits.moved_to : 0;
    changes.close(this.#place(name), eventBits.close_write | arrival);
  }

  /** @param isReplaced another file has its name */
  vanish(snapshot: Snapshot, index: number, isReplaced: boolean): void {
    const name = snapshot.name(index).slice();
    const isDirectory = snapshot.isDirectory(index);
    const node = isDirectory ? this.#node.latestChild(name) : null;
    node?.detach();
    this.#options.changes.vanish({
      place: { node: this.#node, name },
      isDirectory,
      key: this.#keyOf(snapshot, index),
      snapshot,
      index,
      node,
      isReplaced,
      isTold: false,
    });
  }

  #appear(name: Uint8Array, next: Snapshot): void {
    const { changes, status } = this.#options;
    const index = next.add(name, status);
    const isDirectory = kindIn(status) === S_IFDIR;
    const { isBaseline } = this.#mark;
    const directory = isDirectory ? this.#appearDirectory(name, isBaseline) : null;
    if (isBaseline) return;
    const key = this.#keyOf(next, index);
    this.beginLife(next, index, name);
    next.setState(index, next.state(index) | isFresh);
    const place = this.#place(name);
    changes.appear({ place, isDirectory, key, snapshot: next, index, directory });
  }

  #place(name: Uint8Array): Place {
    return { node: this.#node, name: name.slice() };
  }

  /** Over all roots and filesystems. */
  #keyOf(snapshot: Snapshot, index: number): string {
    return `${this.#mark.device || this.#root.device} ${snapshot.key(index)}`;
  }

  /** It is where it was. */
  #keepDirectory(name: Uint8Array): void {
    const node = this.#node.latestChild(name);
    // Until now nobody wanted to hear of what is in it, so all that was there before.
    if (node === null) return void this.#appearDirectory(name, true);
    const { places } = this.#root.tree;
    if (isLeftOut(this.#node, name)) return places.drop(node); // since a filter or an ignore file says so
    const fileKey = this.#fileKey();
    if (markOf(node).fileKey !== fileKey) places.rename(node, fileKey);
    this.#options.lookLater(node);
  }

  /** @returns null if it is not looked into */
  #appearDirectory(name: Uint8Array, isBaseline: boolean): Appeared["directory"] {
    const { status, lookLater } = this.#options;
    const root = this.#root;
    const parent = this.#node;
    const isWanted = follows(root) && !isLeftOut(parent, name);
    const known = root.tree.places.find(this.#fileKey());
    if (known !== null && known.parent !== null) return this.#moveHere(known, name, isWanted);
    // A root in itself, by a bind mount, would have no end.
    if (!isWanted || known !== null) return null;
    const device = this.#device();
    const place = { parent, name: name.slice(), isDirectory: true };
    const mark = { fileKey: this.#fileKey(), device, isBaseline };
    const node = root.tree.places.add(root, place, mark);
    node.inode = inodeIn(status);
    lookLater(node);
    return { node, from: null };
  }

  /** A directory has one place. @returns null if it still is there, and this is a second */
  #moveHere(known: Node, name: Uint8Array, isWanted: boolean): Appeared["directory"] {
    const { lookLater } = this.#options;
    const { places } = this.#root.tree;
    const from = { node: known.parent!, name: known.name };
    if (from.node === this.#node && bytesEqual(from.name, name)) return this.#comeBack(known);
    if (isAt(known, this.#fileKey(), this.#other)) return null;
    const before = markOf(from.node).snapshot;
    const index = before.find(from.name, 0);
    if (index >= 0) before.setState(index, before.state(index) | hasLeft);
    known.moveTo(this.#node, name.slice());
    if (isWanted) lookLater(known);
    else places.drop(known);
    return { node: known, from };
  }

  /** It was not to be found here at the last look: the directory above was on its way. */
  #comeBack(node: Node): Appeared["directory"] {
    node.attach();
    this.#options.lookLater(node);
    return { node, from: null };
  }

  /** Below one root: the root's own device is another one after each mount. */
  #fileKey(): string {
    return `${this.#device()} ${identityIn(this.#options.status)}`;
  }

  #device(): string {
    const device = deviceIn(this.#options.status);
    return device === this.#root.device ? "" : device;
  }
}

/** @param status is filled */
function isAt(node: Node, fileKey: string, status: RawStatus): boolean {
  const flags = AT.SYMLINK_NOFOLLOW | AT.STATX_FORCE_SYNC; // the kernel remembers what was there
  if (status.read(pathForCall(node), flags) !== 0) return false;
  return fileKey.endsWith(` ${identityIn(status)}`);
}
