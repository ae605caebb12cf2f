/** When files were changed last, and what can be told by that. */
import { release } from "node:os";
import { cString } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { fileStatus } from "../../ffi/files.ts";
import {
  BTRFS_SUPER_MAGIC,
  EXT4_SUPER_MAGIC,
  filesystemType,
  TMPFS_MAGIC,
  XFS_SUPER_MAGIC,
} from "../../ffi/statfs.ts";

/** The time of change of what is not there. */
export const goneAt = 0;

/** Of what is at a path, and of what it leads to: microseconds since 1970, or `goneAt`. */
export function changedAt(path: Uint8Array): number {
  try {
    const name = cString(path);
    const { changed } = fileStatus(name, { followSymlink: false });
    return Math.max(changed, fileStatus(name, { followSymlink: true }).changed);
  } catch (error) {
    if (error instanceof SyscallError) return goneAt;
    throw error;
  }
}

/** Multigrain timestamps (FS_MGTIME): Linux 6.13. */
const exactFilesystems: readonly number[] = [
  EXT4_SUPER_MAGIC,
  XFS_SUPER_MAGIC,
  BTRFS_SUPER_MAGIC,
  TMPFS_MAGIC,
];

const isExactKernel = isAtLeast(release(), [6, 13]);

/** Whether a change that comes after somebody looked always has a later time, be it in the same tick. */
export function hasExactTimes(path: Uint8Array): boolean {
  if (!isExactKernel) return false;
  try {
    return exactFilesystems.includes(filesystemType(cString(path)));
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

/** @param version as uname(2) has it: "6.13.0-1-amd64" */
export function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ours = 0, next = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return ours > major || (ours === major && next >= minor);
}
