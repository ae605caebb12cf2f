/** The inotify backend: one descriptor, one watch descriptor an inode, names from the records. */
import { entryEvents, eventBits } from "../event.ts";
import { bytesReadable, type Fd, readNow } from "../../ffi/fd.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import { inotifyAddWatch, inotifyInit, inotifyRemoveWatch } from "../../ffi/inotify/calls.ts";
import { InotifyReader } from "../../ffi/inotify/reader.ts";
import {
  IN_CREATE,
  IN_DELETE,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_Q_OVERFLOW,
  IN_UNMOUNT,
} from "../../ffi/inotify/abi.ts";
import { viewRenamed } from "../rule/view.ts";
import type { Backend, EventSink, Rename, Side, Want } from "./backend.ts";
import { InotifyAhead } from "./inotify-ahead.ts";
import { isNamed, type LeadingNames } from "./leading-names.ts";
import { RecordCount } from "./record-count.ts";
import { asksForRename, renamePlaces } from "./rename-places.ts";
import { type Mark, type Node, noNodes } from "./tree.ts";
import { WdTable } from "./wd-table.ts";

/** Room for 8,000 records with short names: one write to stdout for each read of a busy queue. */
const readBytes = 256 * 1024;

/** Room for the second half of a rename behind a full read: a record has at most 272 bytes. */
const readMoreBytes = 4096;

/** The second half is queued by the system call that queued the first: it comes at once, or never. */
const secondHalfWaitMs = 2;

/** A rename's halves are almost always adjacent; inotify(7) allows others between. */
const recordsAheadMax = 16;

/** Our bits that inotify has under the same value. `rename` is made of two of them, `open_exec` is not there. */
const sharedBits = 0x0fff | eventBits.unmount | eventBits.q_overflow;

const directoryChanges = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO;

interface InotifyMark extends Mark {
  readonly wd: number;
  unmounted: boolean;
}

/** So much is read ahead at most: what the kernel's default queue holds. */
const aheadBytesMax = 4 * 1024 * 1024;

interface FirstHalf extends Side {
  readonly cookie: number;
}

export class InotifyBackend implements Backend {
  readonly name = "inotify";
  readonly namesSubdirectories = true;
  readonly filesystems = null;
  readonly supported = sharedBits | eventBits.rename;
  readonly #fd: Fd;
  readonly #buffer = new Uint8Array(readBytes + readMoreBytes);
  readonly #mainRead = this.#buffer.subarray(0, readBytes);
  readonly #records = new InotifyReader(this.#buffer);
  readonly #markByWd = new WdTable<InotifyMark>();
  /** The first half of a rename whose second is in the same read. */
  #first: FirstHalf | null = null;
  #consumed = 0;
  #length = 0;
  readonly #ahead = new InotifyAhead(readBytes);
  readonly #count: RecordCount;

  /** @throws {SyscallError} EMFILE at fs.inotify.max_user_instances */
  constructor(count = new RecordCount()) {
    this.#count = count;
    this.#fd = inotifyInit();
  }

  get fd(): number {
    return this.#fd.number;
  }

  get marks(): number {
    return this.#markByWd.size;
  }

  get queuedBytes(): number {
    return bytesReadable(this.fd);
  }

  close(): void {
    this.#fd.close();
  }

  get end(): number {
    return this.#consumed + this.queuedBytes;
  }

  passed(inHand: boolean): number {
    return this.position - (inHand ? 1 : 0);
  }

  get position(): number {
    return this.#consumed - this.#ahead.byteLength - this.#length + this.#records.end;
  }

  get hasAhead(): boolean {
    return this.#ahead.byteLength > 0;
  }

  identityOf(): null {
    return null;
  }

  /** The kernel answers with the descriptor of the watch that the inode has: only then is it that one. */
  recognizes(mark: Mark, path: Uint8Array): boolean {
    const answered = inotifyAddWatch(this.fd, path, mark.mask | IN_MASK_ADD);
    if (answered === (mark as InotifyMark).wd) return true;
    const other = this.#markByWd.get(answered);
    if (other === null) inotifyRemoveWatch(this.fd, answered);
    else other.mask = (other.mask | mark.mask) >>> 0;
    return false;
  }

  openByIdentity(): "cannot" {
    return "cannot";
  }

  markAt(): null {
    return null;
  }

  isMovedAhead(): boolean {
    return false;
  }

  readAhead(): void {
    while (this.#ahead.byteLength < aheadBytesMax) {
      const isAllDelivered = this.#records.end === this.#length;
      const isNothing = isAllDelivered ? this.#isOfRemoved : null;
      const length = this.#ahead.readFrom(this.fd, this.#consumed, isNothing);
      if (length === 0) return;
      this.#consumed += length;
    }
  }

  /** The answer to a watch that we have removed ourselves: nobody needs to hear of it. */
  readonly #isOfRemoved = (wd: number, mask: number): boolean =>
    (mask & IN_IGNORED) !== 0 && this.#markByWd.get(wd) === null;

  isLeftAhead(directory: Mark, name: Uint8Array): boolean {
    return this.#ahead.isLeft((directory as InotifyMark).wd, name, this.position);
  }

  forget(mark: Mark): void {
    this.remove(mark);
  }

  add(path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    const mask = kernelMask(want);
    // IN_MASK_ADD: without it the mask of an inode that is watched at another place would be replaced.
    const wd = inotifyAddWatch(this.fd, path, mask | IN_MASK_ADD);
    const known = this.#markByWd.get(wd);
    if (known !== null) {
      known.mask = (known.mask | mask) >>> 0;
      return known;
    }
    const mark = {
      wd,
      isDirectory,
      identity: null,
      mask,
      nodes: noNodes,
      names: null,
      unmounted: false,
    };
    this.#markByWd.add(mark);
    return mark;
  }

  change(mark: Mark, path: Uint8Array, want: Want): void {
    const mask = kernelMask(want);
    if (mask === mark.mask) return;
    const { wd } = mark as InotifyMark;
    const answered = inotifyAddWatch(this.fd, path, mask);
    if (answered === wd) mark.mask = mask;
    // The path leads to another inode by now, which nobody asked to watch.
    else if (this.#markByWd.get(answered) === null) inotifyRemoveWatch(this.fd, answered);
  }

  remove(mark: Mark): void {
    const { wd } = mark as InotifyMark;
    if (!this.#markByWd.delete(wd)) return;
    try {
      inotifyRemoveWatch(this.fd, wd);
    } catch (error) {
      // EINVAL: the inode was deleted, and its watch with it.
      if (!(error instanceof SyscallError)) throw error;
    }
  }

  read(sink: EventSink): number {
    const length = this.#ahead.take(this.#mainRead) || this.#readNow();
    if (length <= 0) return 0;
    this.#length = length;
    const records = this.#records;
    records.reset(length);
    let told = 0;
    for (; records.next(); told++) this.#deliver(sink);
    this.#count.records += told;
    return this.#length;
  }

  #readNow(): number {
    const length = readNow(this.fd, this.#mainRead);
    if (length > 0) this.#consumed += length;
    return length;
  }

  #deliver(sink: EventSink): void {
    const { mask, wd } = this.#records;
    if ((mask & IN_Q_OVERFLOW) !== 0) return this.#overflow(sink);
    const mark = this.#markByWd.get(wd);
    if (mark === null) return; // removed while the record was queued
    if ((mask & (IN_IGNORED | IN_UNMOUNT)) !== 0) this.#lose(sink, mark, mask);
    const events = mask & sharedBits;
    if (events === 0) return;
    if (mark.names !== null) this.#tellNames(mark.names, mask);
    const isMove = (mask & (IN_MOVED_FROM | IN_MOVED_TO)) !== 0;
    const pairs = isMove && (this.#first !== null || mark.nodes.some(asksForRename));
    const rename = pairs ? this.#pairMove(mark) : "unpaired";
    const several = mark.nodes.length > 1 || typeof rename === "object";
    if (several) sink.beginGroup();
    for (const node of several ? [...mark.nodes] : mark.nodes)
      this.#deliverTo(sink, node, events, mask, rename !== "unpaired");
    if (typeof rename === "object") for (const one of rename) sink.renamed(one);
    if (several) sink.endGroup();
  }

  #overflow(sink: EventSink): void {
    this.#count.overflows++;
    sink.overflow(this);
  }

  #tellNames(names: LeadingNames, mask: number): void {
    if ((mask & directoryChanges) === 0 || (mask & IN_ISDIR) !== 0) return;
    const { bytes, nameStart, nameEnd } = this.#records;
    for (const name of names.like(bytes, nameStart, nameEnd))
      if (isNamed(name, bytes, nameStart, nameEnd)) name.changed(mask & directoryChanges);
  }

  #deliverTo(sink: EventSink, node: Node, events: number, mask: number, isRenamed: boolean): void {
    const { bytes, nameStart, nameEnd, cookie } = this.#records;
    const isDirectory = (mask & IN_ISDIR) !== 0;
    if (nameStart === nameEnd) return sink.self(node, events, isDirectory || node.isDirectory, 0);
    const view = isRenamed ? viewRenamed : 0;
    sink.child(node, events, isDirectory, bytes, nameStart, nameEnd, 0, view);
    if (isDirectory && (mask & directoryChanges) !== 0) {
      sink.directoryEntry(node, {
        events: events & entryEvents,
        name: bytes.slice(nameStart, nameEnd),
        key: cookie === 0 ? null : cookie,
        target: null,
        identity: null,
      });
    }
  }

  /**
   * inotify(7), "Dealing with rename() events": both halves carry one cookie, and the second follows
   * soon. A first half is "paired" if the second is seen ahead in this read; the second makes the rename.
   */
  #pairMove(mark: InotifyMark): Rename[] | "paired" | "unpaired" {
    const { bytes, nameStart, nameEnd, cookie, mask } = this.#records;
    if ((mask & IN_MOVED_FROM) !== 0) {
      if (!mark.nodes.some(asksForRename) || !this.#seesSecondHalf(cookie)) return "unpaired";
      this.#first = { cookie, nodes: [...mark.nodes], name: bytes.slice(nameStart, nameEnd) };
      return "paired";
    }
    const first = this.#first;
    if (first === null || first.cookie !== cookie) return "unpaired";
    this.#first = null;
    const to = { nodes: mark.nodes, name: bytes.slice(nameStart, nameEnd) };
    const isDirectory = (mask & IN_ISDIR) !== 0;
    return renamePlaces(first, to).map((places) => ({ ...places, isDirectory, pid: 0 }));
  }

  /** In this read; or right behind it, if the reader woke between the halves. */
  #seesSecondHalf(cookie: number): boolean {
    const records = this.#records;
    if (records.seesAhead(cookie, recordsAheadMax)) return true;
    const isNearEnd = this.#length - records.end < readMoreBytes;
    return isNearEnd && this.#readMore() && records.seesAhead(cookie, recordsAheadMax);
  }

  #readMore(): boolean {
    const room = this.#buffer.subarray(this.#length);
    if (room.length < readMoreBytes) return false;
    const length = this.#ahead.take(room) || this.#readMoreNow(room);
    if (length <= 0) return false;
    this.#length += length;
    this.#records.extend(this.#length);
    return true;
  }

  #readMoreNow(room: Uint8Array): number {
    if (pollOne(this.fd, POLLIN, secondHalfWaitMs) === 0) return 0;
    const length = readNow(this.fd, room);
    if (length > 0) this.#consumed += length;
    return length;
  }

  #lose(sink: EventSink, mark: InotifyMark, mask: number): void {
    if ((mask & IN_UNMOUNT) !== 0) {
      mark.unmounted = true; // IN_IGNORED follows
      return;
    }
    this.#markByWd.delete(mark.wd);
    sink.markGone(mark, mark.unmounted ? "unmounted" : "deleted");
  }
}

function kernelMask(want: Want): number {
  const renames = (want.events & eventBits.rename) !== 0 ? IN_MOVED_FROM | IN_MOVED_TO : 0;
  const watched = want.events & 0x0fff;
  return (watched | renames) >>> 0;
}
