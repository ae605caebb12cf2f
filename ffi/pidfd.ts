/** pidfd_open(2): a descriptor that stands for one process, whoever gets its number afterwards. */
import { lastErrno, libc } from "./libc.ts";
import { Errno } from "./errno.ts";

/** Not every libc exports it. */
export const systemCallNumbers = {
  x64: { pidfd_send_signal: 424 },
  arm64: { pidfd_send_signal: 424 },
} as const;

const numbers = systemCallNumbers[process.arch === "arm64" ? "arm64" : "x64"];

/**
 * Whether the process still has its number: it runs, or is a zombie that nobody has waited for.
 *
 * So what was read in /proc under that number, after the pidfd was there and before this says true, is
 * of this process (pidfd_send_signal(2) with signal 0: ESRCH once it was waited for).
 */
export function pidfdHoldsNumber(pidfd: number): boolean {
  const sent = libc.syscall(numbers.pidfd_send_signal, pidfd, null, 0, 0, null);
  return sent === 0 || lastErrno() === Errno.EPERM; // a process that we may not signal is there
}
