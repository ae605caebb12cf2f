/** poll(2): the one place where a thread waits. */
import { lastErrno, libc } from "./libc.ts";
import { Errno, SyscallError } from "./errno.ts";

export const POLLIN = 0x1;
export const POLLPRI = 0x2;
export const POLLOUT = 0x4;
export const POLLERR = 0x8;
export const POLLHUP = 0x10;
export const POLLNVAL = 0x20;

/** sizeof(struct pollfd) and its fields: int fd at 0, short events at 4, short revents at 6. */
export const pollfdLayout = { size: 8, fd: 0, events: 4, revents: 6 } as const;

/** A fixed set of descriptors to wait for; a slot's events may change between waits. */
export class PollSet {
  readonly #bytes: Uint8Array;
  readonly #fds: Int32Array;
  readonly #shorts: Int16Array;
  readonly #count: number;

  /** @param count how many slots; an empty slot has fd -1, which poll(2) ignores */
  constructor(count: number) {
    this.#count = count;
    this.#bytes = new Uint8Array(count * pollfdLayout.size);
    this.#fds = new Int32Array(this.#bytes.buffer);
    this.#shorts = new Int16Array(this.#bytes.buffer);
    for (let slot = 0; slot < count; slot++) this.set(slot, -1, 0);
  }

  set(slot: number, fd: number, events: number): void {
    this.#fds[slot * 2] = fd;
    this.#shorts[slot * 4 + 2] = events;
    this.#shorts[slot * 4 + 3] = 0;
  }

  /** What happened in this slot at the last wait: POLLIN, POLLOUT, POLLERR, ... */
  happened(slot: number): number {
    return this.#shorts[slot * 4 + 3]!;
  }

  /** Wait until something happens. @param timeoutMs -1 for ever. @returns slots with something, 0 at the timeout */
  wait(timeoutMs: number): number {
    for (;;) {
      const count = libc.poll(this.#bytes, this.#count, timeoutMs);
      if (count >= 0) return count;
      const errno = lastErrno();
      if (errno !== Errno.EINTR) throw new SyscallError("poll", errno);
    }
  }
}

const single = new PollSet(1);

/** Wait for one descriptor. @returns its revents, 0 at the timeout */
export function pollOne(fd: number, events: number, timeoutMs: number): number {
  single.set(0, fd, events);
  return single.wait(timeoutMs) === 0 ? 0 : single.happened(0);
}
