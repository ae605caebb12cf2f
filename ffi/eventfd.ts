/** eventfd(2): how one thread wakes another that waits in poll(2). */
import { libc } from "./libc.ts";
import { check } from "./errno.ts";
import { Fd, readNow, writeNow } from "./fd.ts";

export const EFD_CLOEXEC = 0o2000000;
export const EFD_NONBLOCK = 0o4000;

const one = new Uint8Array(new BigUint64Array([1n]).buffer);
const scratch = new Uint8Array(8);

/** A nonblocking counter at 0. @throws {SyscallError} EMFILE, ENFILE */
export function openEventfd(): Fd {
  return new Fd(check(libc.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
}

/** Make the descriptor readable. Never blocks: a full counter is readable already. */
export function signalEventfd(fd: number): void {
  writeNow(fd, one);
}

/** Make it unreadable again. */
export function clearEventfd(fd: number): void {
  readNow(fd, scratch);
}
