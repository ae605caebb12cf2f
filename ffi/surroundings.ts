/** What a process sets for itself before it becomes another program: priority, file mode mask, directory. */
import { cString } from "./bytes.ts";
import { lastErrno, libc } from "./libc.ts";

export const PRIO_PROCESS = 0;

/**
 * setpriority(2), for the calling thread, which is the one that goes on after execve(2).
 *
 * @param nice -20 to 19, whatever it was before
 * @returns errno, or 0: EACCES below its own without CAP_SYS_NICE and RLIMIT_NICE
 */
export function setNice(nice: number): number {
  return libc.setpriority(PRIO_PROCESS, 0, nice) < 0 ? lastErrno() : 0;
}

/** umask(2): of the whole process. */
export function setUmask(mask: number): void {
  libc.umask(mask);
}

/** chdir(2). @returns errno, or 0 */
export function changeDirectory(path: Uint8Array): number {
  return libc.chdir(cString(path)) < 0 ? lastErrno() : 0;
}
