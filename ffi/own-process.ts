/** What a process sets for itself alone: its name, what it hears of its parent, signals, its end. */
import { cString, utf8 } from "./bytes.ts";
import { check } from "./errno.ts";
import { addressOf, libc } from "./libc.ts";

export const PR_SET_PDEATHSIG = 1;
export const PR_SET_NAME = 15;
export const SIGCONT = 18;

const ignore = 1; // SIG_IGN

/** PR_SET_NAME(2const): what ps(1) calls this thread; of the first one, the process. @param name 15 bytes at most count */
export function setName(name: string): void {
  const bytes = cString(utf8(name));
  check(libc.prctl(PR_SET_NAME, addressOf(bytes)), "prctl PR_SET_NAME");
}

/**
 * PR_SET_PDEATHSIG(2const): be sent a signal when the thread that started us has ended, before its process
 * has perhaps. Nothing comes if it has ended by now.
 */
export function hearOfParentsEnd(signal: number): void {
  check(libc.prctl(PR_SET_PDEATHSIG, signal), "prctl PR_SET_PDEATHSIG");
}

/** signal(2) with SIG_IGN. */
export function ignoreSignals(signals: readonly number[]): void {
  for (const signal of signals) libc.signal(signal, ignore);
}

/** _exit(2): end now, without a word and without opening anything. */
export function exitNow(status: number): never {
  libc._exit(status);
  throw new Error("_exit returned");
}
