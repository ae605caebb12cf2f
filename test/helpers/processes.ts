/** Processes that a test can look at: other programs, other names, other users, and numbers used again. */
import { writeFileSync } from "node:fs";
import { check } from "../../ffi/errno.ts";
import { Fd } from "../../ffi/fd.ts";
import { libc } from "../../ffi/libc.ts";
import { atTestEnd } from "./at-test-end.ts";

const pidfdOpen = 434; // on x64 and on arm64

/** pidfd_open(2). @throws {SyscallError} ESRCH if there is no such process */
export function openPidfd(pid: number): Fd {
  return new Fd(check(libc.syscall(pidfdOpen, pid, null, 0, 0, null), "pidfd_open"));
}

/** Runs to the end of the test, unless it ends before. */
export interface TestProcess {
  readonly pid: number;
  /** Write a line to its stdin. */
  line(text?: string): void;
  /** SIGKILL, and its number is free again. */
  end(): Promise<void>;
}

export function startProcess(argv: readonly string[]): TestProcess {
  const child = Bun.spawn([...argv], { stdin: "pipe", stdout: "ignore", stderr: "inherit" });
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  atTestEnd(end);
  const line = (text = ""): void => {
    child.stdin.write(`${text}\n`);
    void child.stdin.flush();
  };
  return { pid: child.pid, line, end };
}

/** Another process with a number that is free; others may get it first, so it is tried some times. */
export async function startWithPid(pid: number, argv: readonly string[]): Promise<TestProcess> {
  for (let tries = 0; tries < 200; tries++) {
    writeFileSync("/proc/sys/kernel/ns_last_pid", String(pid - 1));
    const started = startProcess(argv);
    if (started.pid === pid) return started;
    await started.end();
  }
  throw new Error(`Cannot start a process with the pid ${pid}: others get it first`);
}
