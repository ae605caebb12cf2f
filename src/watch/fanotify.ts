/** The fanotify backend: inode marks, records named by directory handle, entry name and target handle. */
import { bytesEqual } from "../../ffi/bytes.ts";
import { FAN_EVENT_INFO_TYPE_FID, FAN_EVENT_ON_CHILD, FAN_RENAME } from "../../ffi/fanotify/abi.ts";
import { fanotifyInit, fileIdentity } from "../../ffi/fanotify/calls.ts";
import { FanotifyReader, InfoReader, pidfdOf } from "../../ffi/fanotify/reader.ts";
import { bytesReadable, type Fd, readNow } from "../../ffi/fd.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import { eventBits } from "../event.ts";
import type { ActorDesk } from "./actor-desk.ts";
import type { Backend, EventSink, NotOpened, Want } from "./backend.ts";
import { FanotifyAhead, queuedBytesPerEvent } from "./fanotify-ahead.ts";
import { FanotifyDelivery } from "./fanotify-delivery.ts";
import { FilesystemMarks } from "./filesystem-marks.ts";
import { GroupMarks, kernelMask, KnownMarks, sharedBits } from "./group-marks.ts";
import { HandleOpener } from "./handle-opener.ts";
import { RecordCount } from "./record-count.ts";
import type { Mark, Node } from "./tree.ts";

/** For all groups: none reads while the records of another are in hand. */
const buffer = new Uint8Array(256 * 1024);
/** Metadata, two handles, a name and a pidfd: as little as a record that says a pidfd takes. */
const recordBytesMin = 72;
/** The longest record: two names of 255 bytes, three handles of 128, a pidfd. */
const recordBytesMax = 1024;
/** RLIMIT_NOFILE as nearly everywhere. */
const usualFileLimit = 1024;

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

export class FanotifyBackend implements Backend {
  readonly name = "fanotify";
  readonly namesSubdirectories = false;
  readonly supported = sharedBits | eventBits.rename | eventBits.q_overflow;
  readonly filesystems: FilesystemMarks;
  readonly #fd: Fd;
  readonly #actors: ActorDesk | null;
  readonly #buffer: Uint8Array;
  readonly #events: FanotifyReader;
  readonly #info: InfoReader;
  readonly #aheadEvents: FanotifyReader;
  readonly #aheadInfo: InfoReader;
  readonly #ahead: FanotifyAhead;
  readonly #handles = new HandleOpener();
  readonly #marks: GroupMarks;
  readonly #delivery: FanotifyDelivery;
  readonly #count: RecordCount;
  /** Bytes of the last read. */
  #length = 0;
  #consumed = 0;
  /** Events of the read in hand that are not delivered yet. */
  #left = 0;

  /** @param ownPid what this process does is not reported. @throws {SyscallError} as `fanotifyInit` */
  constructor(ownPid: number, options: FanotifyOptions = {}) {
    const { actors = null, unlimitedMarks = true, isNamedElsewhere = () => false } = options;
    const known = options.known ?? new KnownMarks();
    this.#count = options.count ?? new RecordCount();
    this.#actors = actors;
    this.#buffer = actors === null ? buffer : new Uint8Array(readBytesWithActors());
    this.#events = new FanotifyReader(this.#buffer);
    this.#info = new InfoReader(this.#events);
    this.#aheadEvents = new FanotifyReader(this.#buffer);
    this.#aheadInfo = new InfoReader(this.#aheadEvents);
    const aheadMax = actors === null ? Infinity : recordsAheadWithActors();
    this.#ahead = new FanotifyAhead(this.#buffer.length, aheadMax);
    const fd = (): number => this.fd;
    const filesystems = new FilesystemMarks({
      fd,
      marks: known.byIdentity,
      ahead: this.#ahead,
      kernelMask: (want) => (kernelMask(want, true) & ~FAN_EVENT_ON_CHILD) >>> 0,
      recordInHand: () => this.position / queuedBytesPerEvent,
      readAhead: (waitMs) => this.#readAhead(waitMs),
    });
    this.filesystems = filesystems;
    this.#marks = new GroupMarks({ fd, known, handles: this.#handles, filesystems });
    this.#delivery = new FanotifyDelivery({
      ...{ backend: this, ownPid, buffer: this.#buffer, events: this.#events },
      ...{ marks: this.#marks, byIdentity: known.byIdentity, filesystems, isNamedElsewhere },
      count: this.#count,
    });
    this.#fd = fanotifyInit({ unlimitedMarks, reportPidfd: actors !== null });
  }

  get fd(): number {
    return this.#fd.number;
  }

  get marks(): number {
    return this.#marks.count;
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

  add(path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    return this.#marks.add(path, isDirectory, want);
  }

  change(mark: Mark, path: Uint8Array, want: Want): void {
    this.#marks.change(mark, path, want);
  }

  remove(mark: Mark, path: Uint8Array): void {
    this.#marks.remove(mark, path);
  }

  forget(mark: Mark): void {
    this.#marks.forget(mark);
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
    return this.#marks.find(fileIdentity(path));
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
      this.#delivery.deliver(sink);
      this.#actors?.endRecord();
    }
    this.filesystems.finder?.rest();
    return length;
  }
}

/** With pidfds, each record brings an open descriptor: half of those that we may have, for all that waits. */
function recordsAheadWithActors(): number {
  return Math.floor(fileLimitOf(0)!.soft / 2);
}

/** And a quarter of them at a time, of as many as there are nearly everywhere. */
function readBytesWithActors(): number {
  const descriptors = Math.min(fileLimitOf(0)!.soft, usualFileLimit) / 4;
  return Math.max(Math.floor(descriptors * recordBytesMin), recordBytesMax);
}
