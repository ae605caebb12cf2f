/** One entry of a polled directory: what has become of it since the last look. */
import { bytesEqual, latin1 } from "../../ffi/bytes.ts";
import { eventBits } from "../event.ts";
import { AT } from "../../ffi/fd.ts";
import { RawStatus, S_IFDIR } from "../../ffi/files.ts";
import { type Log, quoted } from "../log.ts";
import type { Place } from "./backend.ts";
import type { PollChanges } from "./poll-changes.ts";
import type { Appeared } from "./poll-found.ts";
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
  mountIn,
  quietLooks,
  type Snapshot,
} from "./poll-snapshot.ts";
import { joined, type Node, pathForCall } from "./tree.ts";
import { follows, isLeftOut } from "./want.ts";

/** What all looks of a round have in common. */
export interface LookOptions {
  readonly log: Log;
  readonly changes: PollChanges;
  readonly filesystems: PollFilesystems;
  /** Leads to the entry in hand. */
  readonly path: PathBuffer;
  /** What was just read of it. */
  readonly status: RawStatus;
}

export interface EntryLookOptions extends LookOptions {
  /** A directory to look into. */
  readonly lookLater: (node: Node) => void;
  /** Something else is mounted over a directory by now, or no longer: it is given up if it is nowhere else. */
  readonly hidden: (node: Node) => void;
}

export class EntryLook {
  readonly #options: EntryLookOptions;
  readonly #difference: Difference = { content: false, attributes: false };
  // The directory in hand.
  #node!: Node;
  #mark!: PollMark;
  #root!: PolledRoot;
  #wantsClosed = false;
  #mount = 0;
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
    this.#mount = mountIn(status);
    this.#wantsClosed = ((node.interests?.events ?? 0) & eventBits.close_write) !== 0;
    this.filesystem = filesystems.at(deviceIn(status), node.path);
  }

  /** Whether it is the directory in hand of which the status was just read: another may have its path by now. */
  get isItself(): boolean {
    const fileKey = this.#fileKey();
    if (fileKey === this.#mark.fileKey) return true;
    return this.filesystem.inodesChange && this.#root.tree.places.find(fileKey) === null;
  }

  /** The directory in hand, or the file. */
  get node(): Node {
    return this.#node;
  }

  /** @param index in `before`, -1 if it is new */
  look(name: Uint8Array, before: Snapshot, index: number, next: Snapshot): void {
    const hasOtherMount = this.hasOtherMount(name);
    if (hasOtherMount) this.#noteMount(name);
    if (hasOtherMount && index >= 0 && !this.#isSameDirectory(name))
      return this.#uncover(name, next);
    const isKnown = index >= 0 && (before.state(index) & hasLeft) === 0;
    if (isKnown && this.isSame(before, index)) {
      const own = next.copy(before, index);
      this.compare(next, own, name);
      return;
    }
    if (isKnown) this.vanish(before, index, true);
    this.#appear(name, next);
  }

  /** Whether something was mounted on the entry in hand, or unmounted, since the last look at its name. */
  hasOtherMount(name: Uint8Array): boolean {
    const { mountPoints } = this.#mark;
    const mount = mountIn(this.#options.status);
    if (mountPoints === null) return mount !== this.#mount;
    return mount !== (mountPoints.get(latin1(name)) ?? this.#mount);
  }

  #noteMount(name: Uint8Array): void {
    const mark = this.#mark;
    const mount = mountIn(this.#options.status);
    const mountPoints = mark.mountPoints ?? new Map<string, number>();
    if (mount === this.#mount) mountPoints.delete(latin1(name));
    else mountPoints.set(latin1(name), mount);
    mark.mountPoints = mountPoints.size === 0 ? null : mountPoints;
  }

  /** It is mounted on itself, or was. */
  #isSameDirectory(name: Uint8Array): boolean {
    const node = this.#node.latestChild(name);
    return node !== null && markOf(node).fileKey === this.#fileKey();
  }

  /** What a mount shows or hides was neither made nor deleted. */
  #uncover(name: Uint8Array, next: Snapshot): void {
    const { filesystems, hidden, log, status } = this.#options;
    filesystems.forget();
    const before = this.#node.latestChild(name);
    before?.detach();
    if (before !== null) hidden(before);
    next.add(name, status);
    if (kindIn(status) === S_IFDIR) this.#findDirectory(name);
    if (before === null && this.#node.latestChild(name) === null) return;
    const path = quoted(joined(this.#node, name));
    log.info(`Another filesystem is at ${path}: polling that from now on`);
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
    lookInside(path, name, status);
    snapshot.store(index, status);
    snapshot.setState(index, (snapshot.state(index) & hasArrived) | isOpenEnded);
  }

  #lookForEnd(snapshot: Snapshot, index: number, name: Uint8Array): void {
    const { changes, path, status } = this.#options;
    const isWritten = lookInside(path, name, status);
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
    const directory = isDirectory ? this.#appearDirectory(name) : null;
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
    if (node === null) return this.#findDirectory(name);
    const { places } = this.#root.tree;
    if (isLeftOut(this.#node, name)) return places.drop(node); // since a filter or an ignore file says so
    const fileKey = this.#fileKey();
    if (markOf(node).fileKey !== fileKey) places.rename(node, fileKey);
    this.#lookInto(node);
  }

  /** It was there before, and so was what is in it: by a bind mount it may have been in the tree as well. */
  #findDirectory(name: Uint8Array): void {
    const known = this.#root.tree.places.find(this.#fileKey());
    if (known === null || known.parent === null) this.#newPlace(name, true);
    else if (this.#wasHere(known, name)) this.#comeBack(known);
    else if (!isAt(known, this.#fileKey(), this.#other)) this.#moveTo(known, name);
  }

  /** @returns null if it is not looked into */
  #appearDirectory(name: Uint8Array): Appeared["directory"] {
    const known = this.#root.tree.places.find(this.#fileKey());
    if (known !== null && known.parent !== null) return this.#moveHere(known, name);
    const isMounted = mountIn(this.#options.status) !== this.#mount;
    const node = this.#newPlace(name, this.#mark.isBaseline || isMounted);
    return node === null ? null : { node, from: null };
  }

  #newPlace(name: Uint8Array, isBaseline: boolean): Node | null {
    const { status } = this.#options;
    const root = this.#root;
    const { places } = root.tree;
    const fileKey = this.#fileKey();
    // A root in itself, by a bind mount, would have no end.
    if (!this.#isFollowed(name) || places.find(fileKey) !== null) return null;
    const place = { parent: this.#node, name: name.slice(), isDirectory: true };
    const mark = { fileKey, device: this.#device(), mount: mountIn(status), isBaseline };
    const node = places.add(root, place, mark);
    node.inode = inodeIn(status);
    this.#lookInto(node);
    return node;
  }

  /** A directory has one place. @returns null if it still is there, and this is a second */
  #moveHere(known: Node, name: Uint8Array): Appeared["directory"] {
    if (this.#wasHere(known, name)) return this.#comeBack(known);
    const from = { node: known.parent!, name: known.name };
    if (isAt(known, this.#fileKey(), this.#other)) return null;
    const before = markOf(from.node).snapshot;
    const index = before.find(from.name, 0);
    if (index >= 0) before.setState(index, before.state(index) | hasLeft);
    this.#moveTo(known, name);
    return { node: known, from };
  }

  #moveTo(known: Node, name: Uint8Array): void {
    known.moveTo(this.#node, name.slice());
    if (this.#isFollowed(name)) this.#lookInto(known);
    else this.#root.tree.places.drop(known);
  }

  #wasHere({ parent, name }: Node, here: Uint8Array): boolean {
    return parent === this.#node && bytesEqual(name, here);
  }

  /** It was not to be found here at the last look: the directory above was on its way. */
  #comeBack(node: Node): Appeared["directory"] {
    node.attach();
    this.#lookInto(node);
    return { node, from: null };
  }

  #isFollowed(name: Uint8Array): boolean {
    return follows(this.#root) && !isLeftOut(this.#node, name);
  }

  #lookInto(node: Node): void {
    markOf(node).mount = mountIn(this.#options.status);
    this.#options.lookLater(node);
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
