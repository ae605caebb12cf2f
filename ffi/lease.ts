/** Whether somebody has a file open for writing, asked with a read lease (fcntl(2), F_SETLEASE). */
import { lastErrno, libc } from "./libc.ts";
import { Errno, SyscallError } from "./errno.ts";
import { O, openFd } from "./fd.ts";
import { CIFS_SUPER_MAGIC, filesystemTypeOf, NFS_SUPER_MAGIC, SMB2_SUPER_MAGIC } from "./statfs.ts";

export const F_SETLEASE = 1024;
export const F_RDLCK = 0;
export const F_UNLCK = 2;

/** Each takes half a microsecond. */
const looksMax = 8;

/**
 * A read lease is refused with EAGAIN while a writer has the file open (ext4, tmpfs, btrfs, xfs,
 * overlayfs). Where leases do not exist or are not allowed (EINVAL, EACCES: not our file, no CAP_LEASE)
 * the answer is "no": what a look cannot know must not hide a finished file.
 *
 * @param path NUL-terminated; a regular file
 */
export function isBeingWritten(path: Uint8Array, { followSymlink = false } = {}): boolean {
  try {
    using file = openFd(path, O.RDONLY | O.NONBLOCK | (followSymlink ? 0 : O.NOFOLLOW));
    // A close is told a moment before its writer is counted out (__fput): who is watched since then is
    // complete, and has no record of it. So a writer has to be there for some microseconds.
    for (let look = 1; look <= looksMax; look++) if (!hasWriter(file.number)) return false;
    return true;
  } catch (error) {
    // Gone or not ours to open: its own records tell the rest.
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

/** The same for a file that is open for reading only. */
export function hasWriter(fd: number): boolean {
  return writersOf(fd) === "some" && !refusesLeases(fd);
}

/** "unknown" where there are no leases (EINVAL), or none for us (EACCES). */
export type Writers = "some" | "none" | "unknown";

/**
 * Who has a file open for writing, or maps it so: as the kernel says, without asking a server. Some clients
 * of servers say "some" whoever writes; overlayfs does not know of maps whose descriptor is closed.
 *
 * @param fd open for reading only
 */
export function writersOf(fd: number): Writers {
  ignoreLeaseBreaks();
  if (libc.fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
    return lastErrno() === Errno.EAGAIN ? "some" : "unknown";
  libc.fcntl(fd, F_SETLEASE, F_UNLCK);
  return "none";
}

/**
 * The clients of NFS 4 and CIFS give a lease only while the server has lent them the file, and else
 * refuse it with the same EAGAIN, whoever writes (nfs4_add_lease, cifs_setlease).
 */
function refusesLeases(fd: number): boolean {
  const type = filesystemTypeOf(fd);
  return type === NFS_SUPER_MAGIC || type === CIFS_SUPER_MAGIC || type === SMB2_SUPER_MAGIC;
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
