/** flock(2): at most one program at a time has a file, and whoever ends has it no more. */
import { lastErrno, libc } from "./libc.ts";
import { Errno, SyscallError } from "./errno.ts";

export const LOCK_EX = 2;
export const LOCK_NB = 4;

/**
 * Lock a file for as long as the descriptor is open. Commands that are started do not keep it: they do
 * not inherit the descriptor.
 *
 * @returns false if another has it
 * @throws {SyscallError} ENOLCK and the like
 */
export function lockFile(fd: number): boolean {
  for (;;) {
    if (libc.flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN) return false;
    if (errno !== Errno.EINTR) throw new SyscallError("flock", errno);
  }
}
