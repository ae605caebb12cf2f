/** inotify's system calls: -1 becomes a SyscallError, descriptors own themselves. */
import { libc } from "../libc.ts";
import { check } from "../errno.ts";
import { Fd } from "../fd.ts";
import { IN_CLOEXEC, IN_NONBLOCK } from "./abi.ts";

/**
 * inotify_init1(2): a new, nonblocking queue.
 *
 * @throws {SyscallError} EMFILE at fs.inotify.max_user_instances or RLIMIT_NOFILE
 */
export function inotifyInit(): Fd {
  return new Fd(check(libc.inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1"));
}

/**
 * inotify_add_watch(2): add a watch, or replace the mask of one that exists.
 *
 * Two paths to one inode give one `wd`, so the caller keeps the path table.
 *
 * @param path NUL-terminated
 * @param mask OR of `IN_*`
 * @returns watch descriptor, at least 1
 * @throws {SyscallError} ENOSPC at fs.inotify.max_user_watches; ENOENT, EACCES about `path`
 */
export function inotifyAddWatch(fd: number, path: Uint8Array, mask: number): number {
  return check(libc.inotify_add_watch(fd, path, mask >>> 0), "inotify_add_watch");
}

/**
 * inotify_rm_watch(2). The kernel answers with an IN_IGNORED record.
 *
 * @throws {SyscallError} EINVAL if `wd` is gone already (its inode was deleted)
 */
export function inotifyRemoveWatch(fd: number, wd: number): void {
  check(libc.inotify_rm_watch(fd, wd), "inotify_rm_watch");
}
