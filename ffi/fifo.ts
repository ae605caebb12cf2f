/** A named pipe by which one program wakes another that waits in poll(2): fifo(7). */
import { lastErrno, libc } from "./libc.ts";
import { check, Errno, SyscallError } from "./errno.ts";
import { type Fd, O, openFd, readNow, writeNow } from "./fd.ts";

const one = new Uint8Array([1]);
const scratch = new Uint8Array(512);

/**
 * The end that waits. It is open for writing too, so that it never comes to an end.
 *
 * @param path NUL-terminated; made if nothing is there
 * @throws {SyscallError} EPERM where the filesystem has no such files; ENOSPC, EACCES
 */
export function listenAtFifo(path: Uint8Array, mode: number): Fd {
  if (libc.mkfifo(path, mode) < 0 && lastErrno() !== Errno.EEXIST) check(-1, "mkfifo");
  return openFd(path, O.RDWR | O.NONBLOCK | O.NOFOLLOW);
}

/** Take what came. */
export function clearFifo({ number: fd }: Fd): void {
  while (readNow(fd, scratch) === scratch.length);
}

/** @param path NUL-terminated. @returns whether somebody listens. @throws {SyscallError} EACCES */
export function wakeByFifo(path: Uint8Array): boolean {
  using fifo = openToWake(path);
  if (fifo !== null) writeNow(fifo.number, one);
  return fifo !== null;
}

/** The same without waking. */
export function hasListener(path: Uint8Array): boolean {
  using fifo = openToWake(path);
  return fifo !== null;
}

function openToWake(path: Uint8Array): Fd | null {
  try {
    return openFd(path, O.WRONLY | O.NONBLOCK | O.NOFOLLOW);
  } catch (error) {
    if (error instanceof SyscallError && alone.includes(error.errno)) return null;
    throw error;
  }
}

/** fifo(7): ENXIO if nobody has it open for reading. */
const alone: readonly number[] = [Errno.ENOENT, Errno.ENXIO];
