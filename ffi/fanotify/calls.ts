/** fanotify's system calls, and the file handles by which it names things. */
import { lastErrno, libc } from "../libc.ts";
import { check, Errno } from "../errno.ts";
import { AT, Fd, O } from "../fd.ts";
import { bytesEqual, utf8 } from "../bytes.ts";
import {
  FAN_CLASS_NOTIF,
  FAN_CLOEXEC,
  FAN_MARK_ADD,
  FAN_MARK_FILESYSTEM,
  FAN_MARK_REMOVE,
  FAN_NONBLOCK,
  FAN_REPORT_DFID_NAME_TARGET,
  FAN_REPORT_PIDFD,
  FAN_UNLIMITED_MARKS,
  fileHandleLayout,
  infoFidLayout,
  statfsLayout,
} from "./abi.ts";

/**
 * fanotify_init(2): a nonblocking group that names events by directory handle, name and target.
 *
 * @param unlimitedMarks pass fs.fanotify.max_user_marks by; needs CAP_SYS_ADMIN
 * @param reportPidfd each record brings a descriptor of the process that did it, which is ours to close;
 *   needs CAP_SYS_ADMIN
 * @throws {SyscallError} EPERM without CAP_SYS_ADMIN where it is needed; EINVAL before Linux 5.17;
 *   EMFILE at fs.fanotify.max_user_groups or RLIMIT_NOFILE; ENOSYS if the kernel is built without it
 */
export function fanotifyInit({
  unlimitedMarks,
  reportPidfd = false,
}: {
  readonly unlimitedMarks: boolean;
  readonly reportPidfd?: boolean;
}): Fd {
  const flags =
    FAN_CLASS_NOTIF |
    FAN_CLOEXEC |
    FAN_NONBLOCK |
    FAN_REPORT_DFID_NAME_TARGET |
    (unlimitedMarks ? FAN_UNLIMITED_MARKS : 0) |
    (reportPidfd ? FAN_REPORT_PIDFD : 0);
  return new Fd(check(libc.fanotify_init(flags, O.RDONLY | O.LARGEFILE), "fanotify_init"));
}

/**
 * fanotify_mark(2), FAN_MARK_ADD: add bits to the mark on an inode, making the mark if there is none.
 *
 * @param path NUL-terminated; symbolic links are followed
 * @throws {SyscallError} ENOTDIR for FAN_ONDIR, FAN_EVENT_ON_CHILD or a directory event on something
 *   that is no directory; ENODEV, EXDEV or EOPNOTSUPP where the filesystem has no usable id or handles;
 *   ENOSPC at fs.fanotify.max_user_marks; ENOENT, EACCES about `path`
 */
export function fanotifyMarkAdd(fd: number, path: Uint8Array, mask: number): void {
  check(libc.fanotify_mark(fd, FAN_MARK_ADD, mask >>> 0, AT.FDCWD, path), "fanotify_mark");
}

/** fanotify_mark(2), FAN_MARK_REMOVE: take bits off a mark; the mark goes with its last bit. */
export function fanotifyMarkRemove(fd: number, path: Uint8Array, mask: number): void {
  check(libc.fanotify_mark(fd, FAN_MARK_REMOVE, mask >>> 0, AT.FDCWD, path), "fanotify_mark");
}

/** What an error of a mark on a filesystem names as its call: that of an inode may still be possible. */
export const filesystemMarkCall = "fanotify_mark FAN_MARK_FILESYSTEM";

/**
 * fanotify_mark(2), FAN_MARK_FILESYSTEM (Linux 4.20): add bits to the mark on the whole filesystem that a
 * path is on; every directory in it reports then, with names, as if it had a mark.
 *
 * @param path NUL-terminated; symbolic links are followed
 * @throws {SyscallError} EPERM without CAP_SYS_ADMIN; EXDEV in a btrfs subvolume; ENODEV where the
 *   filesystem has no id of its own (FUSE); EOPNOTSUPP where nothing can be opened by handle (overlayfs)
 */
export function filesystemMarkAdd(fd: number, path: Uint8Array, mask: number): void {
  const flags = FAN_MARK_ADD | FAN_MARK_FILESYSTEM;
  check(libc.fanotify_mark(fd, flags, mask >>> 0, AT.FDCWD, path), filesystemMarkCall);
}

/** The same with FAN_MARK_REMOVE: the mark goes with its last bit. */
export function filesystemMarkRemove(fd: number, path: Uint8Array, mask: number): void {
  const flags = FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM;
  check(libc.fanotify_mark(fd, flags, mask >>> 0, AT.FDCWD, path), filesystemMarkCall);
}

/** fsid, then file_handle. */
const identityBuffer = new Uint8Array(
  infoFidLayout.fsidSize + fileHandleLayout.f_handle + fileHandleLayout.max,
);
const handleBuffer = identityBuffer.subarray(infoFidLayout.fsidSize);
const handleWords = new Int32Array(identityBuffer.buffer, infoFidLayout.fsidSize);
const slashDotDot = utf8("/..");
const mountId = new Int32Array(1);
const statfsBuffer = new Uint8Array(statfsLayout.size + 64);
const fsid = statfsBuffer.subarray(
  statfsLayout.f_fsid,
  statfsLayout.f_fsid + infoFidLayout.fsidSize,
);

/**
 * The identity that fanotify events carry for `path`: fsid, then file_handle, exactly as the bytes of
 * an information record from its offset 4 on (statfs(2), name_to_handle_at(2)).
 *
 * @param path NUL-terminated; a symbolic link is followed
 * @throws {SyscallError} EOPNOTSUPP where the filesystem has no handles; ENOENT, EACCES about `path`
 */
export function fileIdentity(path: Uint8Array): Uint8Array {
  check(libc.statfs(path, statfsBuffer), "statfs");
  readHandle(path);
  identityBuffer.set(fsid);
  return identityBuffer.slice(0, identityBytes());
}

/** A directory, and the mount by which a path leads to it. */
export interface MountedIdentity {
  readonly identity: Uint8Array;
  /** As name_to_handle_at(2) says it. */
  readonly mountId: number;
}

/**
 * What is at a path on the filesystem of another file, as the records of a mark on the whole of it name
 * it: with the same fsid, also in a btrfs subvolume, for which statfs(2) gives one of its own.
 *
 * @param path NUL-terminated; a symbolic link is followed
 * @param other identity of something on that filesystem
 * @throws {SyscallError} ENOENT, EACCES about `path`
 */
export function identityBeside(path: Uint8Array, other: Uint8Array): MountedIdentity {
  readHandle(path);
  identityBuffer.set(filesystemOf(other));
  const identity = identityBuffer.slice(0, identityBytes());
  return { identity, mountId: mountId[0]! };
}

function identityBytes(): number {
  return infoFidLayout.fsidSize + fileHandleLayout.f_handle + handleWords[0]!;
}

/** The mount of what `fileIdentity` was asked about last, as proc_pid_mountinfo(5) numbers it. */
export function mountOfIdentity(): number {
  return mountId[0]!;
}

/**
 * Fills `handleBuffer`. fanotify needs handles that only tell files apart, and so do we: AT_HANDLE_FID
 * (Linux 6.5) also answers where nothing can be opened by handle, overlayfs above all. Older kernels
 * say EINVAL to it.
 */
function readHandle(path: Uint8Array): void {
  const ask = (flags: number): number => {
    handleWords[0] = fileHandleLayout.max;
    return libc.name_to_handle_at(AT.FDCWD, path, handleBuffer, mountId, flags);
  };
  let result = ask(AT.SYMLINK_FOLLOW | AT.HANDLE_FID);
  if (result < 0 && lastErrno() === Errno.EINVAL) result = ask(AT.SYMLINK_FOLLOW);
  check(result, "name_to_handle_at");
}

/**
 * open_by_handle_at(2): the directory that an identity names, wherever it is by now; anything else only to
 * name it (O_PATH), which nobody is told of.
 *
 * @param mountFd a descriptor, not O_PATH, of something on the same filesystem
 * @throws {SyscallError} ESTALE if it is gone, or outside the mount of `mountFd`, or has a handle that
 *   only tells it apart (AT_HANDLE_FID); EPERM without CAP_DAC_READ_SEARCH
 */
export function openByIdentity(
  mountFd: number,
  identity: Uint8Array,
  { isDirectory = true } = {},
): Fd {
  const flags = isDirectory ? O.RDONLY | O.DIRECTORY | O.NONBLOCK : O.PATH;
  return openHandle(mountFd, identity, O.CLOEXEC | flags);
}

/** The same of a directory with O_PATH, of which no record is made: only where it is can be asked then. */
export function pathByIdentity(mountFd: number, identity: Uint8Array): Fd {
  return openHandle(mountFd, identity, O.PATH | O.DIRECTORY | O.CLOEXEC);
}

function openHandle(mountFd: number, identity: Uint8Array, flags: number): Fd {
  const handle = identity.slice(infoFidLayout.fsidSize);
  return new Fd(check(libc.open_by_handle_at(mountFd, handle, flags), "open_by_handle_at"));
}

/**
 * The identity that records of the directory above give to a directory: they have the fsid of what they
 * report on, which is not that of a subvolume in it (btrfs).
 *
 * @param path NUL-terminated
 * @returns null if it is the same, or if a mount has put the directory there
 * @throws {SyscallError} as `fileIdentity`
 */
export function identityInParent(path: Uint8Array, identity: Uint8Array): Uint8Array | null {
  readHandle(path);
  const [mount] = mountId;
  const above = fileIdentity(directoryAbove(path));
  if (mountId[0] !== mount || isSameFilesystem(above, identity)) return null;
  const alias = identity.slice();
  alias.set(filesystemOf(above));
  return alias;
}

function directoryAbove(path: Uint8Array): Uint8Array {
  const end = path.length - 1;
  const above = new Uint8Array(path.length + slashDotDot.length);
  above.set(path.subarray(0, end));
  above.set(slashDotDot, end);
  return above;
}

/**
 * Whether an identity tells on which filesystem the file is. Handles of those that have no id (FUSE) say
 * nothing about which of them they belong to.
 */
export function hasFilesystemId(identity: Uint8Array): boolean {
  return filesystemOf(identity).some((byte) => byte !== 0);
}

/** The fsid of an identity: a view of its first bytes. */
export function filesystemOf(identity: Uint8Array): Uint8Array {
  return identity.subarray(0, infoFidLayout.fsidSize);
}

export function isSameFilesystem(a: Uint8Array, b: Uint8Array): boolean {
  return bytesEqual(filesystemOf(a), filesystemOf(b));
}
