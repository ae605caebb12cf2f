/** setresuid(2) and its like: becoming a user for good, and asking the kernel what that user may do. */
import { cString } from "./bytes.ts";
import { Errno } from "./errno.ts";
import { AT } from "./fd.ts";
import { lastErrno, libc } from "./libc.ts";

// faccessat(2)
export const X_OK = 1;
export const R_OK = 4;

/** The numbers that the kernel knows a user by. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, at least one. */
  readonly groups: readonly number[];
}

/**
 * Become a user, with all threads: groups first, as a user may not change them.
 *
 * Real, effective and saved ids are set (credentials(7)), and then it is tried to go back: a kernel or
 * a security module that let us would let the program do it too.
 *
 * @returns errno, or 0 once it is done and can't be undone: EPERM without CAP_SETUID and CAP_SETGID,
 * EINVAL for an id that has no meaning in this user namespace
 */
export function becomeUser({ uid, gid, groups }: Identity): number {
  if (libc.setgroups(groups.length, new Uint32Array(groups)) < 0) return lastErrno();
  if (libc.setresgid(gid, gid, gid) < 0) return lastErrno();
  if (libc.setresuid(uid, uid, uid) < 0) return lastErrno();
  if (uid === 0) return 0;
  const isUndone = libc.setresuid(0, 0, 0) === 0 || (gid !== 0 && libc.setresgid(0, 0, 0) === 0);
  return isUndone ? Errno.EPERM : 0;
}

/**
 * faccessat(2), by the real ids: what they are for as long as nobody has called seteuid(2).
 *
 * @param mode OR of `R_OK` and `X_OK`
 * @returns errno, 0 if it is granted
 */
export function accessError(path: Uint8Array, mode: number): number {
  return libc.faccessat(AT.FDCWD, cString(path), mode, 0) === 0 ? 0 : lastErrno();
}
