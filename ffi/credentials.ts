/** setresuid(2) and its like: becoming a user for good, and asking the kernel what that user may do. */
import { cString } from "./bytes.ts";
import { Errno } from "./errno.ts";
import { AT } from "./fd.ts";
import { lastErrno, libc } from "./libc.ts";

// faccessat(2)
export const X_OK = 1;
export const R_OK = 4;

/** The numbers that the kernel knows a process by. */
export interface Identity {
  /** Null: it stays. */
  readonly uid: number | null;
  readonly gid: number;
  /** Supplementary groups; null: they stay. */
  readonly groups: readonly number[] | null;
}

/**
 * Become a user, with all threads: groups first, as a user may not change them.
 *
 * Real, effective and saved ids are set (credentials(7)), and then it is tried to go back: a kernel or
 * a security module that let us would let the program do it too.
 *
 * No user but root keeps a capability. The kernel takes them away with the last id that is 0, except the
 * inheritable ones, and except all where securebits say otherwise (capabilities(7)): so they are dropped
 * here too. The bounding set stays, as for cron: without it sudo(8) and ping(8) would not work.
 *
 * @returns errno, or 0 once it is done and can't be undone: EPERM without CAP_SETUID and CAP_SETGID,
 * EINVAL for an id that has no meaning in this user namespace
 */
export function becomeUser({ uid, gid, groups }: Identity): number {
  if (groups !== null && libc.setgroups(groups.length, new Uint32Array(groups)) < 0)
    return lastErrno();
  if (libc.setresgid(gid, gid, gid) < 0) return lastErrno();
  if (uid === null) return 0;
  if (libc.setresuid(uid, uid, uid) < 0) return lastErrno();
  if (uid === 0) return 0;
  if (libc.capset(capabilityHeader(), new Uint32Array(6)) < 0) return lastErrno();
  const isUndone = libc.setresuid(0, 0, 0) === 0 || (gid !== 0 && libc.setresgid(0, 0, 0) === 0);
  return isUndone ? Errno.EPERM : 0;
}

/** capset(2): 64 capabilities in each set, for each half its effective, permitted and inheritable ones. */
export const _LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;

/** Of this thread, which is the one that calls execve(2). */
function capabilityHeader(): Uint32Array {
  return Uint32Array.of(_LINUX_CAPABILITY_VERSION_3, 0);
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
