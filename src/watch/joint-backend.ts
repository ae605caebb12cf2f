/** Several kernel queues that serve one tree: what the first refuses goes to another one. */
import { epollAdd, openEpoll } from "../../ffi/epoll.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import type { Fd } from "../../ffi/fd.ts";
import { latin1 } from "../../ffi/bytes.ts";
import { fileStatus, readLink } from "../../ffi/files.ts";
import type { BackendName } from "../rule/rule.ts";
import type { Backend, EventSink, NotOpened, Want, WholeFilesystems } from "./backend.ts";
import { InodeMarks } from "./inode-marks.ts";
import { JointClock } from "./joint-clock.ts";
import { JointSink } from "./joint-sink.ts";
import { isLimit } from "./limits.ts";
import type { Mark } from "./tree.ts";

/** Queues that are opened when they are needed. */
export interface Spares {
  /**
   * Another queue of the first's kind, for a filesystem that cannot share one with others; null if the
   * kind has no such rule.
   *
   * @param path NUL-terminated, on that filesystem
   * @param why the others refused it
   */
  readonly sibling: ((path: Uint8Array, why: SyscallError) => Backend) | null;
  /** A queue of another kind. */
  readonly other: (joint: JointBackend) => Backend;
}

/** What the first queue did not take, and why. */
export interface Refusal {
  readonly path: Uint8Array;
  readonly error: SyscallError;
  /** Who serves it now; null: nobody. */
  readonly servedBy: BackendName | null;
}

/**
 * A fanotify group takes marks on a filesystem without a usable fsid (FUSE), or on a subvolume whose fsid
 * is not that of its filesystem (btrfs), only if all its marks are there: EXDEV (fanotify_mark(2), Linux
 * 6.8). The rule is the group's, so each of them gets a group of its own: it costs a descriptor and 8 us
 * (fs.fanotify.max_user_groups: 128), and keeps pids, handles and renames, which inotify below the same
 * rule would not. Where there is no such way out, and at a limit of the kernel, inotify takes fanotify's
 * place and fanotify inotify's, a directory at a time: the rest of the tree stays as it is.
 *
 * With one queue it is that queue.
 */
export class JointBackend implements Backend {
  readonly #queues: Backend[];
  readonly #spares: Spares;
  #poll: Fd | null = null;
  #clock: JointClock | null = null;
  #reading: number | null = null;
  readonly #sinks = new Map<Backend, JointSink>();
  /** Marks that are not the first queue's. */
  readonly #queueByMark = new WeakMap<Mark, Backend>();
  /** By device (statx(2)): who takes its directories, if that is not the first. */
  readonly #queueByDevice = new Map<string, Backend>();
  #other: Backend | null = null;
  #whyNoOther: SyscallError | null = null;
  readonly #unwatched = new InodeMarks();
  /** Those of the other kind: there may be room again for their directories in the queue that goes first. */
  readonly #strays = new InodeMarks();
  #refusals: Refusal[] = [];

  constructor(first: Backend, spares: Spares) {
    this.#queues = [first];
    this.#spares = spares;
  }

  get #first(): Backend {
    return this.#queues[0]!;
  }

  get name(): BackendName {
    return this.#first.name;
  }

  get fd(): number {
    return this.#poll?.number ?? this.#first.fd;
  }

  get supported(): number {
    return this.#first.supported;
  }

  get namesSubdirectories(): boolean {
    return this.#first.namesSubdirectories;
  }

  /** The first's: the kernel refuses its mark on a filesystem whose inodes another queue has to watch. */
  get filesystems(): WholeFilesystems | null {
    return this.#first.filesystems;
  }

  get marks(): number {
    return this.#queues.reduce((sum, { marks }) => sum + marks, 0);
  }

  /** Of the queues of one kind. */
  marksOf(name: BackendName): number {
    return this.#queues.reduce((sum, one) => sum + (one.name === name ? one.marks : 0), 0);
  }

  /** Directories that are in the tree, and that the kernel does not watch: a limit is reached. */
  get unwatched(): InodeMarks {
    return this.#unwatched;
  }

  get queuedBytes(): number {
    return this.#queues.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0);
  }

  get hasAhead(): boolean {
    return this.#queues.some(({ hasAhead }) => hasAhead);
  }

  get end(): number {
    return this.#clock === null ? this.#first.end : this.#clock.end;
  }

  get position(): number {
    const clock = this.#clock;
    if (clock === null) return this.#first.position;
    return this.#reading === null ? clock.position : clock.positionIn(this.#reading);
  }

  passed(inHand: boolean): number {
    const clock = this.#clock;
    if (clock === null) return this.#first.passed(inHand);
    return this.#reading === null ? clock.position : clock.passedIn(this.#reading);
  }

  /** Refusals since the last time. */
  takeRefusals(): readonly Refusal[] {
    const refusals = this.#refusals;
    if (refusals.length > 0) this.#refusals = [];
    return refusals;
  }

  isFirsts(mark: Mark): boolean {
    return !this.#queueByMark.has(mark);
  }

  add(path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    const queue = this.#preferred(path);
    try {
      return this.#addTo(queue, path, isDirectory, want);
    } catch (error) {
      if (!(error instanceof SyscallError) || !isRefusal(error)) throw error;
      return this.#addElsewhere(error, path, isDirectory, want);
    }
  }

  identityOf(path: Uint8Array): Uint8Array | null {
    return this.#handleQueue(path)?.identityOf(path) ?? null;
  }

  recognizes(mark: Mark, path: Uint8Array): boolean {
    if (this.#unwatched.has(mark)) return this.#unwatched.at(fileStatus(path).inode) === mark;
    return this.#queueOf(mark).recognizes(mark, path);
  }

  openByIdentity(near: Uint8Array, identity: Uint8Array): Fd | NotOpened {
    const queue = this.#queues.length === 1 ? this.#first : this.#queues.find(saysHandles);
    return queue?.openByIdentity(near, identity) ?? "cannot";
  }

  markAt(path: Uint8Array): Mark | null {
    return this.#handleQueue(path)?.markAt(path) ?? null;
  }

  isMovedAhead(identity: Uint8Array): boolean {
    return this.#queues.some((queue, at) =>
      at === (this.#reading ?? 0) ? queue.isMovedAhead(identity) : queue.queuedBytes > 0,
    );
  }

  readAhead(): void {
    for (const queue of this.#queues) queue.readAhead();
  }

  isLeftAhead(directory: Mark, name: Uint8Array): boolean {
    return this.#queueOf(directory).isLeftAhead(directory, name);
  }

  forget(mark: Mark): void {
    this.#strays.delete(mark);
    if (!this.#unwatched.delete(mark)) this.#queueOf(mark).forget(mark);
  }

  change(mark: Mark, path: Uint8Array, want: Want): void {
    if (!this.#unwatched.has(mark)) this.#queueOf(mark).change(mark, path, want);
  }

  remove(mark: Mark, path: Uint8Array): void {
    this.#strays.delete(mark);
    if (!this.#unwatched.delete(mark)) this.#queueOf(mark).remove(mark, path);
  }

  read(sink: EventSink): number {
    if (this.#clock === null) return this.#first.read(sink);
    let length = 0;
    for (let at = 0; at < this.#queues.length; at++) {
      this.#reading = at;
      length += this.#queues[at]!.read(this.#sinkOf(this.#queues[at]!, sink));
    }
    this.#reading = null;
    this.#clock.forget();
    return length;
  }

  close(): void {
    this.#poll?.close();
    for (const queue of this.#queues) queue.close();
  }

  #queueOf(mark: Mark): Backend {
    return this.#queueByMark.get(mark) ?? this.#first;
  }

  /** Who knows directories at a path by handle, if anybody does. */
  #handleQueue(path: Uint8Array): Backend | undefined {
    const preferred = this.#preferred(path);
    return saysHandles(preferred) ? preferred : this.#queues.find(saysHandles);
  }

  #preferred(path: Uint8Array): Backend {
    if (this.#queueByDevice.size === 0 && this.#strays.size === 0) return this.#first;
    const { inode } = fileStatus(path);
    const stray = this.#strays.at(inode);
    if (stray !== null) return this.#queueOf(stray);
    return this.#queueByDevice.get(deviceOf(inode)) ?? this.#first;
  }

  #addTo(queue: Backend, path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    const mark = queue.add(path, isDirectory, want);
    // Queues that share what they know may answer with a mark of each other's.
    if (queue === this.#first || mark.nodes.length > 0) return mark;
    this.#queueByMark.set(mark, queue);
    if (queue === this.#other) this.#strays.add(mark, fileStatus(path).inode);
    return mark;
  }

  #addElsewhere(error: SyscallError, path: Uint8Array, isDirectory: boolean, want: Want): Mark {
    let last = error;
    for (const queue of this.#others(error, path, want)) {
      try {
        const mark = this.#addTo(queue, path, isDirectory, want);
        this.#note(path, error, queue);
        return mark;
      } catch (other) {
        if (!(other instanceof SyscallError) || !isRefusal(other)) throw other;
        if (isLimit(other)) last = other;
      }
    }
    if (want.isTop) throw error;
    return this.#leave(path, isDirectory, isLimit(last) ? last : (this.#whyNoOther ?? last));
  }

  /** Who may take what the first refuses, the best first. */
  *#others(error: SyscallError, path: Uint8Array, want: Want): Generator<Backend> {
    if (isLimit(error)) {
      if (want.isStrict) return;
    } else if (this.#spares.sibling !== null) {
      for (const queue of this.#queues) if (queue.name === this.name) yield queue;
      const sibling = this.#openSibling(path, error);
      if (sibling !== null) yield sibling;
    }
    if (want.isTop) return; // a path of a rule falls as a whole
    const other = this.#openOther();
    if (other !== null) yield other;
  }

  #openSibling(path: Uint8Array, why: SyscallError): Backend | null {
    try {
      return this.#join(this.#spares.sibling!(path, why));
    } catch (error) {
      if (error instanceof SyscallError) return null; // a limit: the other kind has to do
      throw error;
    }
  }

  #openOther(): Backend | null {
    if (this.#other !== null || this.#whyNoOther !== null) return this.#other;
    try {
      return (this.#other = this.#join(this.#spares.other(this)));
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      this.#whyNoOther = error;
      return null;
    }
  }

  #join(queue: Backend): Backend {
    if (this.#poll === null) {
      this.#poll = openEpoll();
      epollAdd(this.#poll.number, this.#first.fd);
    }
    epollAdd(this.#poll.number, queue.fd);
    this.#clock ??= new JointClock(this.#queues);
    this.#queues.push(queue);
    return queue;
  }

  #note(path: Uint8Array, error: SyscallError, queue: Backend): void {
    if (isLimit(error)) return this.#say(path, error, queue.name);
    const device = deviceOf(fileStatus(path).inode);
    const isKnown = this.#queueByDevice.get(device) === queue;
    this.#queueByDevice.set(device, queue);
    if (!isKnown && queue.name !== this.name) this.#say(path, error, queue.name);
  }

  #say(path: Uint8Array, error: SyscallError, servedBy: BackendName | null): void {
    this.#refusals.push({ path: nameOf(path), error, servedBy });
  }

  /** It is in the tree all the same: what is below it is counted, and tried as well. */
  #leave(path: Uint8Array, isDirectory: boolean, error: SyscallError): Mark {
    const { inode } = fileStatus(path);
    const known = this.#unwatched.at(inode);
    if (known !== null) return known;
    this.#say(path, error, null);
    const mark: Mark = { isDirectory, identity: null, mask: 0, nodes: [], names: null };
    this.#unwatched.add(mark, inode);
    return mark;
  }

  #sinkOf(queue: Backend, sink: EventSink): EventSink {
    let known = this.#sinks.get(queue);
    if (known === undefined) {
      const isMixed = () => this.#other !== null;
      known = new JointSink(queue, (mark) => this.#queueOf(mark), isMixed);
      this.#sinks.set(queue, known);
    }
    return known.to(sink);
  }
}

/** What is held open is named by its descriptor. */
function nameOf(path: Uint8Array): Uint8Array {
  try {
    return latin1(path).startsWith("/proc/self/fd/") ? readLink(path) : path.subarray(0, -1);
  } catch (error) {
    if (error instanceof SyscallError) return path.subarray(0, -1);
    throw error;
  }
}

function saysHandles({ namesSubdirectories }: Backend): boolean {
  return !namesSubdirectories;
}

/** It can be watched, and not by this queue. */
function isRefusal(error: SyscallError): boolean {
  return isUnsupportedFilesystem(error) || isLimit(error);
}

/** Errors of fanotify_mark and name_to_handle_at that say "not on this filesystem" (fanotify_mark(2)). */
export function isUnsupportedFilesystem({ errno }: SyscallError): boolean {
  return (
    errno === Errno.ENODEV ||
    errno === Errno.EXDEV ||
    errno === Errno.EOPNOTSUPP ||
    errno === Errno.EOVERFLOW
  );
}

function deviceOf(inode: string): string {
  return inode.slice(0, inode.lastIndexOf(":"));
}
