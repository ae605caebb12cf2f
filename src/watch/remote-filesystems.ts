/** Filesystems on which to open a file, as the kernel does for whoever decides, may wait for another: even for that decision. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import {
  CIFS_SUPER_MAGIC,
  filesystemType,
  FUSE_SUPER_MAGIC,
  NFS_SUPER_MAGIC,
  OVERLAYFS_SUPER_MAGIC,
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

/** Stands for the call in the error about an overlay below a tree. */
export const overlayCall = "statfs for a gate above an overlay";

const slashDotDot = cString(utf8("/.."));

/**
 * An overlay that is come upon below a tree: its layers are most often in the same tree (containers). To
 * open its file for whoever reads the questions, the kernel opens that of the layer, and would ask the same
 * reader. What is opened by way of the overlay is asked about by way of the layer.
 *
 * @param path of a directory, NUL-terminated
 * @throws {SyscallError} EOPNOTSUPP with `overlayCall`, if an overlay begins there
 */
export function refuseOverlayBelow(path: Uint8Array): void {
  if (filesystemType(path) !== OVERLAYFS_SUPER_MAGIC) return;
  const end = path.length - 1;
  const above = new Uint8Array(end + slashDotDot.length);
  above.set(path.subarray(0, end));
  above.set(slashDotDot, end);
  if (filesystemType(above) !== OVERLAYFS_SUPER_MAGIC)
    throw new SyscallError(overlayCall, Errno.EOPNOTSUPP);
}
