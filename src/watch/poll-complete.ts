/** Whether a file that was written is complete: looked at through an open descriptor, more than once. */
import { SyscallError } from "../../ffi/errno.ts";
import { O } from "../../ffi/fd.ts";
import type { RawStatus } from "../../ffi/files.ts";
import { hasWriter } from "../../ffi/lease.ts";
import { type PathBuffer, readOpen } from "./poll-path.ts";

/** FAT counts the seconds of mtime in steps of two. */
export const coarseTimeMs = 2_000;

/**
 * Look at a file so that caches do not answer: opening it makes NFS and sshfs ask their server
 * (close-to-open consistency, nfs(5)), and AT_STATX_FORCE_SYNC is for the others.
 *
 * @param status is read anew; it stays as it is if the file may not be opened
 * @returns whether somebody on this machine has it open for writing, as far as the filesystem can say
 */
export function lookInside(path: PathBuffer, name: Uint8Array, status: RawStatus): boolean {
  try {
    using file = path.open(name, O.RDONLY | O.NONBLOCK | O.NOFOLLOW);
    const isWritten = hasWriter(file.number);
    readOpen(file, status);
    return isWritten;
  } catch (error) {
    if (error instanceof SyscallError) return false; // gone, or not ours to open
    throw error;
  }
}

/** How many looks must show no change: a whole interval, and more than the steps that times are counted in. */
export function quietLooksNeeded(intervalMs: number, hasCoarseTimes: boolean): number {
  return hasCoarseTimes ? Math.max(1, Math.ceil(coarseTimeMs / intervalMs)) : 1;
}
