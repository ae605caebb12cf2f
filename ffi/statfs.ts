/** What kind of filesystem a file is on (statfs(2), linux/magic.h). */
import { libc } from "./libc.ts";
import { check } from "./errno.ts";

export const statfsTypeLayout = { f_type: 0 } as const;

export const PROC_SUPER_MAGIC = 0x9fa0;
export const EXT4_SUPER_MAGIC = 0xef53;
export const XFS_SUPER_MAGIC = 0x5846_5342;
export const BTRFS_SUPER_MAGIC = 0x9123_683e;
export const TMPFS_MAGIC = 0x0102_1994;
export const FUSE_SUPER_MAGIC = 0x6573_5546;
export const NFS_SUPER_MAGIC = 0x6969;
export const CIFS_SUPER_MAGIC = 0xff53_4d42;
export const SMB2_SUPER_MAGIC = 0xfe53_4d42;
export const OVERLAYFS_SUPER_MAGIC = 0x794c_7630;

/** struct statfs has 120 bytes on x64 and arm64. */
const buffer = new Uint8Array(256);
const words = new Uint32Array(buffer.buffer);

/** @param path NUL-terminated. @throws {SyscallError} ENOENT, EACCES about `path` */
export function filesystemType(path: Uint8Array): number {
  check(libc.statfs(path, buffer), "statfs");
  return words[statfsTypeLayout.f_type >> 2]!;
}

/** The same for an open file. @throws {SyscallError} EBADF */
export function filesystemTypeOf(fd: number): number {
  check(libc.fstatfs(fd, buffer), "fstatfs");
  return words[statfsTypeLayout.f_type >> 2]!;
}
