/** Several kernel queues that serve one tree: what the first refuses goes to another one. */
import { epollAdd, openEpoll } from "../../ffi/epoll.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import type { Fd } from "../../ffi/fd.ts";
import { fileStatus } from "../../ffi/files.ts";
import type { BackendName } from "../rule/rule.ts";
import type { Backend, EventSink, Want } from "./backend.ts";
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
   */
  readonly sibling: ((path: Uint8Array) => Backend) | null;
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
  readonly #unwatched = new Set<Mark>();
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

  get marks(): number {
    return this.#queues.reduce((sum, { marks }) => sum + marks, 0);
  }

  /** Directories that are in the tree, and that the kernel does not watch: a limit is reached. */
  get unwatched(): ReadonlySet<Mark> {
    return this.#unwatched;
  }

  get consumed(): number {
    return this.#clock === null ? this.#first.consumed : this.#clock.consumed;
  }

  get queuedBytes(): number {
    const clock = this.#clock;
    return clock === null ? this.#first.queuedBytes : clock.end - clock.consumed;
  }

  get position(): number {
    const clock = this.#clock;
    if (clock === null) return this.#first.position;
    return this.#reading === null ? clock.consumed : clock.positionIn(this.#reading);
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

  add(
    path: Uint8Array,
    isDirectory: boolean,
    want: Want,
    identity: Uint8Array | null,
  ): Mark | null {
    const queue = this.#preferred(path);
    try {
      return this.#addTo(queue, path, isDirectory, want, identity);
    } catch (error) {
      if (!(error instanceof SyscallError) || !isRefusal(error)) throw error;
      return this.#addElsewhere(error, path, isDirectory, want, identity);
    }
  }

  change(mark: Mark, path: Uint8Array, want: Want): void {
    if (!this.#unwatched.has(mark)) this.#queueOf(mark).change(mark, path, want);
  }

  remove(mark: Mark, path: Uint8Array): void {
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

  #preferred(path: Uint8Array): Backend {
    if (this.#queueByDevice.size === 0) return this.#first;
    return this.#queueByDevice.get(deviceOf(path)) ?? this.#first;
  }

  #addTo(
    queue: Backend,
    path: Uint8Array,
    isDirectory: boolean,
    want: Want,
    identity: Uint8Array | null,
  ): Mark | null {
    // A queue of another kind has other records: nothing to compare with what they say.
    const expected = queue.name === this.name ? identity : null;
    const mark = queue.add(path, isDirectory, want, expected);
    if (mark !== null && queue !== this.#first) this.#queueByMark.set(mark, queue);
    return mark;
  }

  #addElsewhere(
    error: SyscallError,
    path: Uint8Array,
    isDirectory: boolean,
    want: Want,
    identity: Uint8Array | null,
  ): Mark | null {
    let last = error;
    for (const queue of this.#others(error, path, want)) {
      try {
        const mark = this.#addTo(queue, path, isDirectory, want, identity);
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
      const sibling = this.#openSibling(path);
      if (sibling !== null) yield sibling;
    }
    if (want.isTop) return; // a path of a rule falls as a whole
    const other = this.#openOther();
    if (other !== null) yield other;
  }

  #openSibling(path: Uint8Array): Backend | null {
    try {
      return this.#join(this.#spares.sibling!(path));
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
    const device = deviceOf(path);
    const isKnown = this.#queueByDevice.get(device) === queue;
    this.#queueByDevice.set(device, queue);
    if (!isKnown && queue.name !== this.name) this.#say(path, error, queue.name);
  }

  #say(path: Uint8Array, error: SyscallError, servedBy: BackendName | null): void {
    this.#refusals.push({ path: path.subarray(0, -1), error, servedBy });
  }

  /** It is in the tree all the same: what is below it is counted, and tried as well. */
  #leave(path: Uint8Array, isDirectory: boolean, error: SyscallError): Mark {
    const mark = { isDirectory, mask: 0, nodes: [] };
    this.#unwatched.add(mark);
    this.#say(path, error, null);
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

function deviceOf(path: Uint8Array): string {
  const { inode } = fileStatus(path);
  return inode.slice(0, inode.lastIndexOf(":"));
}
