/** pidfd_open(2): a descriptor that stands for one process, whoever gets its number afterwards. */
import { lastErrno, libc } from "./libc.ts";
import { check, Errno } from "./errno.ts";
import { Fd } from "./fd.ts";

/** Not every libc exports it. */
export const systemCallNumbers = {
  x64: { pidfd_send_signal: 424, pidfd_open: 434 },
  arm64: { pidfd_send_signal: 424, pidfd_open: 434 },
} as const;

const numbers = systemCallNumbers[process.arch === "arm64" ? "arm64" : "x64"];

/**
 * pidfd_open(2) (Linux 5.3): readable for poll(2) once the last thread of the process has ended.
 *
 * @throws {SyscallError} ESRCH if there is no such process; EMFILE, ENFILE; ENOSYS
 */
export function openPidfd(pid: number): Fd {
  return new Fd(check(libc.syscall(numbers.pidfd_open, pid, null, 0, 0, null), "pidfd_open"));
}

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
