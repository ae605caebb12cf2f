/** RLIMIT_NOFILE as facron was started with it, not as Bun left it, and whether that is enough. */
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { openEventfd } from "../../ffi/eventfd.ts";
import type { Fd } from "../../ffi/fd.ts";
import { fileLimitOf, setSoftLimit } from "../../ffi/limits.ts";

/** Without a parent to ask: what the kernel gives (INR_OPEN_CUR), and systemd too (DefaultLimitNOFILE). */
const usualSoftLimit = 1024;

/**
 * Descriptors that facron takes to watch one path, and some room: with ten it gets there (Bun 1.4.5), and
 * with fewer Bun ends the program in words of its own, as soon as a thread cannot be started.
 */
const fewestFiles = 16;

/** Take back the raised limit. To be called before the first command, which inherits it. */
export function restoreFileLimit(): void {
  setSoftLimit(givenSoftLimit());
}

/** Whether as many descriptors are left as it takes to start. @throws {SyscallError} for other reasons */
export function hasFilesToStart(): boolean {
  const spare: Fd[] = [];
  try {
    while (spare.length < fewestFiles) spare.push(openEventfd());
    return true;
  } catch (error) {
    if (error instanceof SyscallError && error.errno === Errno.EMFILE) return false;
    throw error;
  } finally {
    for (const fd of spare) fd.close();
  }
}

/**
 * The soft limit of open files that facron was started with, as far as that can be known: commands
 * are to inherit that one.
 *
 * Bun raises its own soft limit to the hard one before any of our code runs. Measured with Bun
 * 1.4.5, `bun x.ts` and compiled alike: after `ulimit -S -n 512` with a hard limit of 20,000 it has
 * 20,000, and so has what it starts. What it was is written nowhere; the parent's limit is the best
 * guess. (A parent that lowered it in the child only is not seen through.) A program that counts on
 * the usual 1024, for select(2) or to close them all, would break or crawl. facron itself needs few:
 * a running command holds none.
 */
function givenSoftLimit(): number {
  const { hard } = fileLimitOf(0)!;
  return Math.min(parentSoftLimit(hard) ?? usualSoftLimit, hard);
}

/** Init's limits are its own, and 0 is a parent outside of our pid namespace. */
function parentSoftLimit(ourHard: number): number | null {
  const parent = process.ppid <= 1 ? null : fileLimitOf(process.ppid);
  return parent !== null && parent.hard === ourHard ? parent.soft : null;
}
