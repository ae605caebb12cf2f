/** What commands inherit from facron besides descriptors: as facron was started, not as Bun left it. */
import { readdirSync } from "node:fs";
import { setCloseOnExec } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { fileLimitOf, setSoftLimit } from "../../ffi/limits.ts";

/** Without a parent to ask: what the kernel gives (INR_OPEN_CUR), and systemd too (DefaultLimitNOFILE). */
const usualSoftLimit = 1024;

/**
 * Undo what commands would inherit of us, of Bun or of a careless parent. To be called once, before
 * the first command, on the thread that starts them.
 */
export function prepareForCommands(): void {
  resetSignals(SIGCHLD);
  setSoftLimit(givenSoftLimit());
  for (const fd of openDescriptors()) if (fd > 2) setCloseOnExec(fd);
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

const SIGCHLD = 17;
const SIG_DFL = 0;
const SIG_SETMASK = 2;

/** sigset_t of glibc and musl: 1024 bits. */
const noSignals = new Uint8Array(128);

/**
 * Signals that are ignored get their default back, and none is blocked any more.
 *
 * A parent can leave both behind. With SIGCHLD ignored children vanish without a status; of blocked
 * signals facron would not hear. (Commands get every signal at its default, see posixSpawn.)
 */
export function resetSignals(...ignored: readonly number[]): void {
  for (const signal of ignored) libc.signal(signal, SIG_DFL);
  libc.sigprocmask(SIG_SETMASK, noSignals, null);
}

/** What a shell or a supervisor left open for us is not for our commands. */
function openDescriptors(): number[] {
  return readdirSync("/proc/self/fd").map(Number);
}
