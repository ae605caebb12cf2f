/** Filesystems for which a server answers, another process or machine: to open a file there may take for ever. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import {
  CIFS_SUPER_MAGIC,
  filesystemType,
  FUSE_SUPER_MAGIC,
  NFS_SUPER_MAGIC,
  SMB2_SUPER_MAGIC,
} from "../../ffi/statfs.ts";

/** Magic numbers of linux/magic.h and of the filesystems' own sources. */
const remote = new Set([
  FUSE_SUPER_MAGIC, // virtiofs too
  NFS_SUPER_MAGIC,
  CIFS_SUPER_MAGIC,
  SMB2_SUPER_MAGIC,
  0x517b, // smbfs
  0x00c3_6400, // ceph
  0x0102_1997, // 9p
  0x5346_414f, // OpenAFS
  0x6b41_4653, // kAFS
  0x7375_7245, // coda
  0x7461_636f, // ocfs2
  0x0116_1970, // gfs2
  0x0bd0_0bd3, // lustre
]);

/** Stands for the call in the error that says so. */
export const remoteFilesystemCall = "statfs for a gate";

/**
 * The kernel opens a file for whoever reads a group's questions, inside that read(2): a server that hangs, or
 * that opens what is gated itself, would hold up the answers to all others.
 *
 * @param path NUL-terminated
 * @throws {SyscallError} EOPNOTSUPP with `remoteFilesystemCall`
 */
export function refuseRemote(path: Uint8Array): void {
  if (remote.has(filesystemType(path)))
    throw new SyscallError(remoteFilesystemCall, Errno.EOPNOTSUPP);
}
