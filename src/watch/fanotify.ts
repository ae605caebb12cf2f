/** The fanotify backend: inode marks, records named by directory handle, entry name and target handle. */
import { bytesEqual } from "../../ffi/bytes.ts";
import { entryEvents, eventBits, selfEvents } from "../event.ts";
import { bytesReadable, type Fd, readNow } from "../../ffi/fd.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { fileStatus } from "../../ffi/files.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import {
  fanotifyInit,
  fanotifyMarkAdd,
  fanotifyMarkRemove,
  fileIdentity,
  identityInParent,
  mountOfIdentity,
} from "../../ffi/fanotify/calls.ts";
import { FanotifyReader, InfoReader, pidfdOf } from "../../ffi/fanotify/reader.ts";
import {
  FAN_CREATE,
  FAN_DELETE,
  FAN_DELETE_SELF,
  FAN_EVENT_INFO_TYPE_DFID,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_EVENT_ON_CHILD,
  FAN_MOVED_FROM,
  FAN_MOVED_TO,
  FAN_ONDIR,
  FAN_Q_OVERFLOW,
  FAN_RENAME,
} from "../../ffi/fanotify/abi.ts";
import type { ActorDesk } from "./actor-desk.ts";
import type { Backend, EventSink, NotOpened, Side, Want } from "./backend.ts";
import { isNamed, type LeadingNames } from "./leading-names.ts";
import { RecordCount } from "./record-count.ts";
import { renamePlaces } from "./rename-places.ts";
import { type Mark, type Node, noNodes, pathForCall } from "./tree.ts";
import { viewAskers, viewRenamed } from "../rule/view.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import { FanotifyAhead, queuedBytesPerEvent } from "./fanotify-ahead.ts";
import { type FanotifyMark, FilesystemMarks } from "./filesystem-marks.ts";
import { HandleOpener, isAt } from "./handle-opener.ts";
import { HandleTable, wordsOf } from "./handle-table.ts";

/** For all groups: none reads while the records of another are in hand. */
const buffer = new Uint8Array(256 * 1024);
/** Metadata, two handles, a name and a pidfd: as little as a record that says a pidfd takes. */
const recordBytesMin = 72;
/** The longest record: two names of 255 bytes, three handles of 128, a pidfd. */
const recordBytesMax = 1024;
/** RLIMIT_NOFILE as nearly everywhere. */
const usualFileLimit = 1024;
const dot = 0x2e;
/** Stands for the call in the error that says that a filesystem is a copy. */
const copyCall = "name_to_handle_at";

/** Our bits that fanotify has under the same value; `rename` has another one, `unmount` is not there. */
const sharedBits = 0x1fff;
/** Those that are about an inode, whatever happens to its names: one record may have both. */
const inodeBits = sharedBits & ~entryEvents;

/** Moves of directories are told by FAN_RENAME. */
const directoryChanges = FAN_CREATE | FAN_DELETE;

/** What groups know whose records may speak of each other's directories. */
export class KnownMarks {
  /** By what records say of them. */
  readonly byIdentity = new HandleTable<FanotifyMark>();
  /** There are groups for other subvolumes of the same filesystem. */
  hasSubvolumes = false;
}

export interface FanotifyOptions {
  /** Gets the descriptor of who did it with each record. Default: the kernel is spared opening it. */
  readonly actors?: ActorDesk | null;
  /** fs.fanotify.max_user_marks does not count; needs CAP_SYS_ADMIN. Default: true. */
  readonly unlimitedMarks?: boolean;
  readonly known?: KnownMarks;
  /** Default: one of its own. */
  readonly count?: RecordCount;
  /** Another backend's records tell what happens to the directories in this one. */
  readonly isNamedElsewhere?: (parent: Node) => boolean;
}

/** Whether it is a copy of another filesystem, whose marks must not be known where it is served. */
export function isCopyRefused({ errno, syscall }: SyscallError): boolean {
  return errno === Errno.EXDEV && syscall === copyCall;
}

export class FanotifyBackend implements Backend {
  readonly name = "fanotify";
  readonly namesSubdirectories = false;
  readonly supported = sharedBits | eventBits.rename | eventBits.q_overflow;
  readonly #fd: Fd;
  readonly #ownPid: number;
  readonly #actors: ActorDesk | null;
  readonly #buffer: Uint8Array;
  readonly #events: FanotifyReader;
  readonly #info: InfoReader;
  readonly #aheadEvents: FanotifyReader;
  readonly #aheadInfo: InfoReader;
  #length = 0;
  readonly #known: KnownMarks;
  readonly #markByIdentity: HandleTable<FanotifyMark>;
  readonly #isNamedElsewhere: (parent: Node) => boolean;
  #marks = 0;
  /** Marks on inodes that are no directories: only with them a target has to be looked up. */
  #fileMarks = 0;
  readonly filesystems: FilesystemMarks;
  readonly #ahead: FanotifyAhead;
  #consumed = 0;
  readonly #handles = new HandleOpener();
  readonly #count: RecordCount;
  /** Events of the read in hand that are not delivered yet. */
  #left = 0;

  // What the information records of the event in hand say.
  #directory: FanotifyMark | null = null;
  #target: FanotifyMark | null = null;
  #nameStart = 0;
  #nameEnd = 0;
  /** Where the target's identity lies; both 0 if the record has none. */
  #targetStart = 0;
  #targetEnd = 0;
  #oldPlace: FanotifyMark | null = null;
  #oldNameStart = 0;
  #oldNameEnd = 0;

  /** @param ownPid what this process does is not reported. @throws {SyscallError} as `fanotifyInit` */
  constructor(ownPid: number, options: FanotifyOptions = {}) {
    const { actors = null, unlimitedMarks = true } = options;
    this.#ownPid = ownPid;
    this.#count = options.count ?? new RecordCount();
    this.#known = options.known ?? new KnownMarks();
    this.#markByIdentity = this.#known.byIdentity;
    this.#isNamedElsewhere = options.isNamedElsewhere ?? (() => false);
    this.#actors = actors;
    this.#buffer = actors === null ? buffer : new Uint8Array(readBytesWithActors());
    this.#events = new FanotifyReader(this.#buffer);
    this.#info = new InfoReader(this.#events);
    this.#aheadEvents = new FanotifyReader(this.#buffer);
    this.#aheadInfo = new InfoReader(this.#aheadEvents);
    const aheadMax = actors === null ? Infinity : recordsAheadWithActors();
    this.#ahead = new FanotifyAhead(this.#buffer.length, aheadMax);
    this.filesystems = new FilesystemMarks({
      fd: () => this.fd,
      marks: this.#markByIdentity,
      ahead: this.#ahead,
      kernelMask: (want) => (kernelMask(want, true) & ~FAN_EVENT_ON_CHILD) >>> 0,
      recordInHand: () => this.position / queuedBytesPerEvent,
      readAhead: (waitMs) => this.#readAhead(waitMs),
    });
    this.#fd = fanotifyInit({ unlimitedMarks, reportPidfd: actors !== null });
  }

  get fd(): number {
    return this.#fd.number;
  }

  get marks(): number {
    return this.#marks;
  }

  get queuedBytes(): number {
    return bytesReadable(this.fd) + this.#ahead.queuedBytes;
  }

  get hasAhead(): boolean {
    return !this.#ahead.isEmpty;
  }

  close(): void {
    this.#ahead.close();
    this.#fd.close();
  }

  get end(): number {
    return this.#consumed + this.queuedBytes;
  }

  passed(inHand: boolean): number {
    return this.position - (inHand ? 1 : 0);
  }

  get position(): number {
    return this.#consumed - this.#left * queuedBytesPerEvent;
  }

  /** A want without events only makes the inode known, so that records about it find their place. */
  add(path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    const identity = fileIdentity(path);
    const mount = mountOfIdentity();
    const known = this.#find(identity);
    if (known !== null && known.mount !== mount) refuseCopy(known, path);
    const mask = kernelMask(want, isDirectory);
    const missing = known === null ? mask : (mask & ~known.mask) >>> 0;
    if (missing !== 0) fanotifyMarkAdd(this.fd, path, missing);
    if (known !== null) {
      if (known.mount < 0) {
        this.#marks++;
        known.mount = mount;
      }
      if (isDirectory && this.#known.hasSubvolumes) this.#learnAlias(known, path);
      known.mask = (known.mask | missing) >>> 0;
      return known;
    }
    const mark: FanotifyMark = {
      ...{ identity, mount, alias: null, isDirectory, mask },
      ...{ nodes: noNodes, names: null, foundIn: 0 },
    };
    this.#markByIdentity.set(identity, mark);
    this.#marks++;
    if (!isDirectory) this.#fileMarks++;
    else if (this.#known.hasSubvolumes) this.#learnAlias(mark, path);
    return mark;
  }

  identityOf(path: Uint8Array): Uint8Array {
    return fileIdentity(path);
  }

  recognizes(mark: Mark, path: Uint8Array): boolean {
    return bytesEqual(fileIdentity(path), mark.identity!);
  }

  openByIdentity(near: Uint8Array, identity: Uint8Array): Fd | NotOpened {
    return this.#handles.open(near, identity);
  }

  markAt(path: Uint8Array): Mark | null {
    return this.#find(fileIdentity(path));
  }

  isMovedAhead(identity: Uint8Array): boolean {
    const events = this.#aheadEvents;
    events.reset(this.#length, this.#events.nextStart);
    while (events.next()) if (this.#isMoveOf(events, identity)) return true;
    return this.queuedBytes > 0; // it may be among those
  }

  #isMoveOf({ mask, infoStart, infoEnd }: FanotifyReader, identity: Uint8Array): boolean {
    if ((mask & FAN_RENAME) === 0) return false;
    const info = this.#aheadInfo;
    info.reset(infoStart, infoEnd);
    while (info.next()) {
      if (info.type !== FAN_EVENT_INFO_TYPE_FID) continue;
      const bytes = this.#buffer.subarray(info.identityStart, info.identityEnd);
      return bytesEqual(bytes, identity);
    }
    return false;
  }

  /** Handles say what is meant: no names have to be known ahead. */
  readAhead(): void {}

  isLeftAhead(): boolean {
    return false;
  }

  change(mark: Mark, path: Uint8Array, want: Want): void {
    const mask = kernelMask(want, mark.isDirectory);
    const missing = (mask & ~mark.mask) >>> 0;
    const surplus = (mark.mask & ~mask) >>> 0;
    if ((missing | surplus) !== 0 && !isAt(path, mark as FanotifyMark)) return;
    if (missing !== 0) fanotifyMarkAdd(this.fd, path, missing);
    if (surplus !== 0) fanotifyMarkRemove(this.fd, path, surplus);
    mark.mask = mask;
  }

  remove(mark: Mark, path: Uint8Array): void {
    const { identity } = mark as FanotifyMark;
    if (this.#find(identity) !== mark) return;
    this.#drop(mark as FanotifyMark);
    if (mark.mask === 0) return;
    try {
      using held = this.#handles.hold(mark as FanotifyMark, path);
      if (held !== null) fanotifyMarkRemove(this.fd, held.path, mark.mask);
    } catch (error) {
      // The inode went at this moment: its records find no mark here.
      if (!(error instanceof SyscallError)) throw error;
    }
  }

  forget(mark: Mark): void {
    const { identity } = mark as FanotifyMark;
    if (this.#find(identity) !== mark) return;
    this.#drop(mark as FanotifyMark);
    // A directory that is gone may still be open, or a file that was in it.
    if (this.filesystems.has(identity)) this.filesystems.found(identity);
  }

  /** All that is queued by now, behind what has been read: which directories give up a name by it. */
  #readAhead(waitMs: number): void {
    const last = this.#consumed / queuedBytesPerEvent;
    if (this.#left > 0 && !this.#ahead.isIndexed(last)) {
      const behind = { start: this.#events.nextStart, end: this.#length };
      this.#ahead.index(this.#buffer, { ...behind, first: last - this.#left + 1 });
    }
    if (waitMs > 0) pollOne(this.fd, POLLIN, waitMs);
    const queued = bytesReadable(this.fd);
    if (queued === 0) return;
    const next = last + this.#ahead.queuedBytes / queuedBytesPerEvent + 1;
    this.#ahead.read(this.fd, queued / queuedBytesPerEvent, next);
  }

  read(sink: EventSink): number {
    const length = this.#ahead.take(this.#buffer) || readNow(this.fd, this.#buffer);
    if (length <= 0) return 0;
    const events = this.#events;
    events.reset(length);
    this.#length = length;
    // All of them at once: a look that is made between two of them is behind the others as well.
    this.#left = events.remaining;
    this.#count.records += this.#left;
    this.#consumed += this.#left * queuedBytesPerEvent;
    this.#actors?.beginRead();
    while (events.next()) {
      this.#left--;
      this.#actors?.beginRecord(events.pid, pidfdOf(events, this.#info));
      this.#deliver(sink);
      this.#actors?.endRecord();
    }
    this.filesystems.finder?.rest();
    return length;
  }

  #deliver(sink: EventSink): void {
    const { mask, pid } = this.#events;
    if ((mask & FAN_Q_OVERFLOW) !== 0) return this.#overflow(sink);
    if (pid === this.#ownPid) {
      // The end of what somebody deleted while we had it open is ours, and nothing else is.
      if ((mask & FAN_DELETE_SELF) === 0) return;
      this.#events.mask &= FAN_DELETE_SELF | FAN_ONDIR;
    }
    this.#readInfo();
    if ((mask & FAN_RENAME) !== 0) return this.#deliverRename(sink);
    const directory = this.#directory;
    if (directory !== null) {
      if (directory.names !== null) this.#tellNames(directory.names, mask);
      const isSelf = this.#nameStart === this.#nameEnd || this.#nameIsDot();
      if (isSelf) this.#deliverDirectorySelf(sink, directory);
      else this.#deliverEntry(sink, directory);
    } else if (this.#target !== null && (mask & inodeBits) !== 0)
      this.#deliverTo(sink, this.#target.nodes);
  }

  #overflow(sink: EventSink): void {
    this.#count.overflows++;
    sink.overflow(this);
  }

  /** Find the marks that the record is about; its names stay where they lie. */
  #readInfo(): void {
    const info = this.#info;
    const { words, infoStart, infoEnd } = this.#events;
    this.#directory = null;
    this.#target = null;
    this.#oldPlace = null;
    this.#nameStart = this.#nameEnd = 0;
    this.#targetStart = this.#targetEnd = 0;
    const wantsTarget = this.#fileMarks > 0 || (this.#events.mask & FAN_ONDIR) !== 0;
    info.reset(infoStart, infoEnd);
    while (info.next()) {
      const { type, identityStart, identityEnd } = info;
      if (
        type === FAN_EVENT_INFO_TYPE_DFID_NAME ||
        type === FAN_EVENT_INFO_TYPE_DFID ||
        type === FAN_EVENT_INFO_TYPE_NEW_DFID_NAME
      ) {
        this.#directory = this.#placed(words, identityStart, identityEnd);
        this.#nameStart = info.nameStart;
        this.#nameEnd = info.nameEnd;
      } else if (type === FAN_EVENT_INFO_TYPE_OLD_DFID_NAME) {
        this.#oldPlace = this.#placed(words, identityStart, identityEnd);
        this.#oldNameStart = info.nameStart;
        this.#oldNameEnd = info.nameEnd;
      } else if (type === FAN_EVENT_INFO_TYPE_FID && wantsTarget) {
        this.#target = this.#markByIdentity.get(words, identityStart, identityEnd);
        this.#targetStart = identityStart;
        this.#targetEnd = identityEnd;
      }
    }
  }

  /** A directory that is below a root. With a mark on its whole filesystem it may have to be found first. */
  #placed(words: Int32Array, start: number, end: number): FanotifyMark | null {
    let mark = this.#markByIdentity.get(words, start, end);
    const { filesystems } = this;
    if (!filesystems.isEmpty && mark?.foundIn !== filesystems.generation)
      mark = filesystems.find(mark, this.#buffer.slice(start, end));
    return mark === null || isElsewhere(mark) ? null : mark;
  }

  #tellNames(names: LeadingNames, mask: number): void {
    if ((mask & entryEvents) === 0 || (mask & FAN_ONDIR) !== 0) return;
    const start = this.#nameStart;
    const end = this.#nameEnd;
    for (const name of names.like(this.#buffer, start, end))
      if (isNamed(name, this.#buffer, start, end)) name.changed(mask & entryEvents);
  }

  #nameIsDot(): boolean {
    return this.#nameEnd - this.#nameStart === 1 && this.#buffer[this.#nameStart] === dot;
  }

  /** An entry of a watched directory; if it is a watched file as well, this is one record for both. */
  #deliverEntry(sink: EventSink, directory: FanotifyMark): void {
    const { mask } = this.#events;
    const target = this.#target;
    const alsoFile = target !== null && !target.isDirectory && (mask & inodeBits) !== 0;
    const several = alsoFile || directory.nodes.length !== 1;
    if (!several) return this.#deliverChild(sink, directory.nodes[0]!);
    sink.beginGroup();
    for (const node of [...directory.nodes]) this.#deliverChild(sink, node);
    if (alsoFile) this.#deliverTo(sink, target.nodes);
    sink.endGroup();
  }

  #deliverChild(sink: EventSink, node: Node): void {
    const { mask, pid } = this.#events;
    const isDirectory = (mask & FAN_ONDIR) !== 0;
    const events = mask & sharedBits;
    // FAN_RENAME tells the same move, and may come before or after: the kernel merges this record with
    // what the process did to the name before. Rules that ask for `rename` hear of it from that.
    const isTold = (mask & (FAN_MOVED_FROM | FAN_MOVED_TO)) !== 0 && asksForRename(node);
    const start = this.#nameStart;
    const end = this.#nameEnd;
    sink.child(node, events, isDirectory, this.#buffer, start, end, pid, isTold ? viewRenamed : 0);
    if (isDirectory && (mask & directoryChanges) !== 0) {
      const target = this.#target;
      sink.directoryEntry(node, {
        events: events & entryEvents,
        name: this.#buffer.slice(this.#nameStart, this.#nameEnd),
        key: null,
        target,
        identity: this.#targetIdentity(),
      });
    }
  }

  /** A directory that is watched, or is in one that is: its own places, and its name in the parents. */
  #deliverDirectorySelf(sink: EventSink, directory: FanotifyMark): void {
    const { mask, pid } = this.#events;
    const events = mask & sharedBits;
    // Below a recursive root the rules hear of a directory as an entry of its parent, as with inotify.
    const told = events & ~selfEvents;
    sink.beginGroup();
    for (const node of [...directory.nodes]) {
      const { parent, name } = node;
      if (parent === null) sink.self(node, events, true, pid);
      else if (told !== 0 && !this.#isNamedElsewhere(parent))
        sink.child(parent, told, true, name, 0, name.length, pid, 0);
    }
    sink.endGroup();
    if ((mask & FAN_DELETE_SELF) !== 0) this.#lose(sink, directory);
  }

  #deliverTo(sink: EventSink, nodes: readonly Node[]): void {
    const { mask, pid } = this.#events;
    const isDirectory = (mask & FAN_ONDIR) !== 0;
    for (const node of [...nodes]) sink.self(node, mask & inodeBits, isDirectory, pid);
    if ((mask & FAN_DELETE_SELF) !== 0 && nodes.length > 0) {
      this.#lose(sink, nodes[0]!.mark as FanotifyMark);
    }
  }

  /** With one side out of sight, the rules that ask for `rename` get the side that is seen. */
  #deliverRename(sink: EventSink): void {
    const { mask, pid } = this.#events;
    const isDirectory = (mask & FAN_ONDIR) !== 0;
    const from = sideOf(this.#oldPlace, this.#buffer.slice(this.#oldNameStart, this.#oldNameEnd));
    const to = sideOf(this.#directory, this.#buffer.slice(this.#nameStart, this.#nameEnd));
    sink.beginGroup();
    if (from !== null && to !== null) {
      for (const places of renamePlaces(from, to)) sink.renamed({ ...places, isDirectory, pid });
    } else {
      const { nodes, name } = from ?? to ?? nowhere;
      const events = from !== null ? eventBits.moved_from : eventBits.moved_to;
      for (const node of nodes)
        sink.child(node, events, isDirectory, name, 0, name.length, pid, viewAskers);
    }
    sink.endGroup();
    if (isDirectory)
      sink.directoryMoved({ from, to, target: this.#target, identity: this.#targetIdentity() });
  }

  #targetIdentity(): Uint8Array {
    return this.#buffer.slice(this.#targetStart, this.#targetEnd);
  }

  #lose(sink: EventSink, mark: FanotifyMark): void {
    if (this.#find(mark.identity) !== mark) return;
    this.#drop(mark);
    sink.markGone(mark, "deleted");
  }

  #drop(mark: FanotifyMark): void {
    this.#markByIdentity.delete(mark.identity);
    if (mark.alias !== null) this.#markByIdentity.delete(mark.alias);
    if (mark.mount >= 0) this.#marks--;
    if (!mark.isDirectory) this.#fileMarks--;
  }

  /** A subvolume has a name in the records of the directory that it is in as well. */
  #learnAlias(mark: FanotifyMark, path: Uint8Array): void {
    const alias = identityInParent(path, mark.identity);
    if (mark.alias !== null) this.#markByIdentity.delete(mark.alias);
    mark.alias = alias;
    if (alias !== null) this.#markByIdentity.set(alias, mark);
  }

  #find(identity: Uint8Array): FanotifyMark | null {
    return this.#markByIdentity.get(wordsOf(identity), 0, identity.length);
  }
}

/**
 * A copy of a filesystem has its id and its handles: records do not tell them apart. On another mount of
 * one filesystem it is the same inode.
 *
 * @throws {SyscallError} EXDEV: a group of its own can serve the copy
 */
function refuseCopy({ nodes }: FanotifyMark, path: Uint8Array): void {
  const [node] = nodes;
  if (node === undefined || isSameDevice(path, pathForCall(node))) return;
  throw new SyscallError(copyCall, Errno.EXDEV);
}

/** What is not there any more is not another filesystem. */
function isSameDevice(path: Uint8Array, known: Uint8Array): boolean {
  const deviceOf = (at: Uint8Array): string => fileStatus(at).inode.replace(/:\d+$/, "");
  try {
    return deviceOf(path) === deviceOf(known);
  } catch (error) {
    if (error instanceof SyscallError) return true;
    throw error;
  }
}

/** Nothing is wanted of it or of a name in it. */
function isElsewhere({ nodes, names }: FanotifyMark): boolean {
  return nodes.length === 0 && names === null;
}

function asksForRename(node: Node): boolean {
  return ((node.interests?.events ?? 0) & eventBits.rename) !== 0;
}

const nowhere: Side = { nodes: [], name: new Uint8Array(0) };

function sideOf(mark: Mark | null, name: Uint8Array): Side | null {
  return mark === null ? null : { nodes: [...mark.nodes], name };
}

/**
 * FAN_ONDIR, FAN_EVENT_ON_CHILD and the events of entries are refused on what is no directory: ENOTDIR,
 * with FAN_REPORT_TARGET_FID (fanotify_mark(2)).
 */
function kernelMask(want: Want, isDirectory: boolean): number {
  const shared = want.events & sharedBits;
  if (want.events === 0) return 0;
  if (!isDirectory) return (shared & ~entryEvents) >>> 0;
  const rename = (want.events & eventBits.rename) !== 0 ? FAN_RENAME : 0;
  const children = want.children ? FAN_EVENT_ON_CHILD : 0;
  const directories = want.directories ? FAN_ONDIR : 0;
  return (shared | rename | children | directories) >>> 0;
}

/** With pidfds, each record brings an open descriptor: a quarter of those that we may have, at a time. */
function recordsAheadWithActors(): number {
  return Math.floor(fileLimitOf(0)!.soft / 2);
}

function readBytesWithActors(): number {
  const descriptors = Math.min(fileLimitOf(0)!.soft, usualFileLimit) / 4;
  return Math.max(Math.floor(descriptors * recordBytesMin), recordBytesMax);
}
