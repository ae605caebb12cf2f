/** prlimit(2): how many files a process may have open. */
import { check } from "./errno.ts";
import { libc } from "./libc.ts";

/** RLIMIT_NOFILE: how many files one process may have open (getrlimit(2)). */
export interface FileLimit {
  readonly soft: number;
  readonly hard: number;
}

export const RLIMIT_NOFILE = 7;

/**
 * The limit of a process. Never RLIM_INFINITY: the kernel refuses more than fs.nr_open.
 *
 * @param pid 0: our own
 * @returns null if it is gone, or not ours to ask (EPERM)
 */
export function fileLimitOf(pid: number): FileLimit | null {
  const limit = new BigUint64Array(2); // struct rlimit: rlim_cur, rlim_max
  if (libc.prlimit(pid, RLIMIT_NOFILE, null, limit) < 0) return null;
  return { soft: Number(limit[0]), hard: Number(limit[1]) };
}

/** @throws {SyscallError} EINVAL above the hard limit */
export function setSoftLimit(soft: number): void {
  const limit = new BigUint64Array(2);
  check(libc.prlimit(0, RLIMIT_NOFILE, null, limit), "prlimit");
  limit[0] = BigInt(soft);
  check(libc.prlimit(0, RLIMIT_NOFILE, limit, null), "prlimit");
}
