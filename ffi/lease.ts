/** Whether somebody has a file open for writing, asked with a read lease (fcntl(2), F_SETLEASE). */
import { lastErrno, libc } from "./libc.ts";
import { Errno, SyscallError } from "./errno.ts";
import { O, openFd } from "./fd.ts";

export const F_SETLEASE = 1024;
export const F_RDLCK = 0;
export const F_UNLCK = 2;

/**
 * A read lease is refused with EAGAIN while a writer has the file open (ext4, tmpfs, btrfs, xfs,
 * overlayfs). Where leases do not exist or are not allowed (EINVAL, EACCES: not our file, no CAP_LEASE)
 * the answer is "no": what a look cannot know must not hide a finished file.
 *
 * @param path NUL-terminated; a regular file
 */
export function isBeingWritten(path: Uint8Array): boolean {
  ignoreLeaseBreaks();
  try {
    using file = openFd(path, O.RDONLY | O.NONBLOCK | O.NOFOLLOW);
    if (libc.fcntl(file.number, F_SETLEASE, F_RDLCK) < 0) return lastErrno() === Errno.EAGAIN;
    libc.fcntl(file.number, F_SETLEASE, F_UNLCK);
    return false;
  } catch (error) {
    // Gone or not ours to open: its own records tell the rest.
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

export const SIGIO = 29;
export const SIG_IGN = 1;
let ignoresLeaseBreaks = false;

/**
 * A writer that opens the file while the lease is held makes the kernel send SIGIO, whose default is to
 * end the process (fcntl(2), "Leases"). The writer itself only waits until the lease is given back.
 */
function ignoreLeaseBreaks(): void {
  if (ignoresLeaseBreaks) return;
  libc.signal(SIGIO, SIG_IGN);
  ignoresLeaseBreaks = true;
}
