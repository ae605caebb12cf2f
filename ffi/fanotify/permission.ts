/** Groups that decide: the kernel holds a process until each question about it is answered (fanotify(7)). */
import { lastErrno, libc } from "../libc.ts";
import { check, Errno, SyscallError } from "../errno.ts";
import { AT, Fd, O } from "../fd.ts";
import {
  FAN_ALLOW,
  FAN_AUDIT,
  FAN_CLASS_CONTENT,
  FAN_CLASS_PRE_CONTENT,
  FAN_CLOEXEC,
  FAN_DENY,
  FAN_ENABLE_AUDIT,
  FAN_ERRNO_SHIFT,
  FAN_MARK_ADD,
  FAN_MARK_FILESYSTEM,
  FAN_MARK_FLUSH,
  FAN_MARK_MOUNT,
  FAN_MARK_REMOVE,
  FAN_NONBLOCK,
  FAN_PRE_ACCESS,
  FAN_UNLIMITED_MARKS,
  FAN_UNLIMITED_QUEUE,
  responseLayout,
} from "./abi.ts";

export interface PermissionGroupOptions {
  /** FAN_CLASS_PRE_CONTENT: for FAN_PRE_ACCESS and FAN_DENY_ERRNO. */
  readonly preContent: boolean;
  /** FAN_ENABLE_AUDIT: answers may ask for a record in the audit log; needs CAP_AUDIT_WRITE. */
  readonly audit: boolean;
}

/**
 * fanotify_init(2): a nonblocking group that may answer permission events, each with a descriptor of the
 * file that it is about.
 *
 * FAN_UNLIMITED_QUEUE: what does not fit in the queue would be let through without a question. The
 * descriptors are opened with O_NONBLOCK: the kernel opens the file again for the listener, inside its
 * read(2), and a FIFO without a writer would hold that for ever.
 *
 * @throws {SyscallError} EPERM without CAP_SYS_ADMIN in the first user namespace, or CAP_AUDIT_WRITE;
 *   EINVAL if the kernel is built without CONFIG_FANOTIFY_ACCESS_PERMISSIONS or, with `audit`, without
 *   CONFIG_AUDIT; EOPNOTSUPP for `preContent` before Linux 6.14; EMFILE, ENOSYS
 */
export function permissionGroup({ preContent, audit }: PermissionGroupOptions): Fd {
  const flags =
    (preContent ? FAN_CLASS_PRE_CONTENT : FAN_CLASS_CONTENT) |
    FAN_CLOEXEC |
    FAN_NONBLOCK |
    FAN_UNLIMITED_QUEUE |
    FAN_UNLIMITED_MARKS |
    (audit ? FAN_ENABLE_AUDIT : 0);
  const eventFlags = O.RDONLY | O.LARGEFILE | O.CLOEXEC | O.NONBLOCK;
  const group = new Fd(check(libc.fanotify_init(flags, eventFlags), "fanotify_init"));
  // The class is older than what it is for, and FAN_DENY_ERRNO is of the same kernel as FAN_PRE_ACCESS.
  if (!preContent || knowsEvents(group.number, FAN_PRE_ACCESS)) return group;
  group.close();
  throw new SyscallError("fanotify_init with FAN_CLASS_PRE_CONTENT", Errno.EOPNOTSUPP);
}

const noDirectory = -1;

/**
 * Whether a group takes marks with these bits: asked of the kernel by a mark on nothing. It looks at the
 * mask (EINVAL) before it looks for what is to be marked (EBADF).
 */
export function knowsEvents(group: number, mask: number): boolean {
  const path = new Uint8Array([0x2e, 0]);
  const result = libc.fanotify_mark(group, FAN_MARK_ADD, mask >>> 0, noDirectory, path);
  return result >= 0 || lastErrno() !== Errno.EINVAL;
}

/** What a mark is on: the inode that a path leads to, its mount, or its filesystem (Linux 4.20). */
export type PermissionObject = "inode" | "mount" | "filesystem";

const objectFlags = {
  inode: 0,
  mount: FAN_MARK_MOUNT,
  filesystem: FAN_MARK_FILESYSTEM,
} as const satisfies Record<PermissionObject, number>;

/** What an error of a permission mark names as its call: the inode may be watched all the same. */
export const permissionMarkCall = "fanotify_mark for a gate";

/**
 * fanotify_mark(2), FAN_MARK_ADD: hold this too, from now on.
 *
 * @param path NUL-terminated; symbolic links are followed
 * @param mask FAN_*_PERM and FAN_PRE_ACCESS, with FAN_EVENT_ON_CHILD and FAN_ONDIR
 * @throws {SyscallError} with `permissionMarkCall`: EINVAL on procfs, where opening takes locks that must
 *   not be held (FS_DISALLOW_NOTIFY_PERM), and on what users cannot mount; EINVAL or EEXIST if one mark
 *   would have both FAN_PRE_ACCESS and FAN_ONDIR; EOPNOTSUPP where the filesystem has no FAN_PRE_ACCESS;
 *   EPERM, ENOMEM; ENOENT, EACCES about `path`
 */
export function permissionMarkAdd(
  group: number,
  object: PermissionObject,
  path: Uint8Array,
  mask: number,
): void {
  const flags = FAN_MARK_ADD | objectFlags[object];
  check(libc.fanotify_mark(group, flags, mask >>> 0, AT.FDCWD, path), permissionMarkCall);
}

/** The same with FAN_MARK_REMOVE: the mark goes with its last bit. @throws {SyscallError} ENOENT if there is none */
export function permissionMarkRemove(
  group: number,
  object: PermissionObject,
  path: Uint8Array,
  mask: number,
): void {
  const flags = FAN_MARK_REMOVE | objectFlags[object];
  check(libc.fanotify_mark(group, flags, mask >>> 0, AT.FDCWD, path), permissionMarkCall);
}

const somePath = new Uint8Array([0x2f, 0]);

/** FAN_MARK_FLUSH: all marks of the group on objects of one kind go. @throws {SyscallError} EBADF */
export function permissionMarksFlush(group: number, object: PermissionObject): void {
  const flags = FAN_MARK_FLUSH | objectFlags[object];
  check(libc.fanotify_mark(group, flags, 0, AT.FDCWD, somePath), permissionMarkCall);
}

const words = new Int32Array(responseLayout.size / 4);
const bytes = new Uint8Array(words.buffer);

/** The response to allow or deny. @param errno what the process gets in place of EPERM; 0: EPERM */
export function responseOf(
  isAllowed: boolean,
  { audit = false, errno = 0 }: { readonly audit?: boolean; readonly errno?: number } = {},
): number {
  const verdict = isAllowed ? FAN_ALLOW : FAN_DENY | (errno << FAN_ERRNO_SHIFT);
  return verdict | (audit ? FAN_AUDIT : 0);
}

/**
 * write(2) of a struct fanotify_response: let a process go on.
 *
 * @param eventFd as it came with the question; still open, and the caller's to close
 * @returns whether it was waited for: it may have been killed meanwhile, or answered by another (ENOENT)
 * @throws {SyscallError} EINVAL for a response that the group's class or the kernel does not know
 */
export function answerPermission(group: number, eventFd: number, response: number): boolean {
  words[0] = eventFd;
  words[1] = response;
  if (libc.write(group, bytes, responseLayout.size) >= 0) return true;
  const errno = lastErrno();
  if (errno === Errno.ENOENT) return false;
  throw new SyscallError("write", errno);
}
