/** Whether facron is stopped, as /proc/PID/stat says it (proc_pid_stat(5)): by a file that the guard opens beforehand. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { type Fd, O, openFd, readOrErrno } from "../../ffi/fd.ts";
import { rewind } from "../../ffi/files.ts";

/** ")" ends the name of the program, in which anything may be; the state is a letter after it. */
const closing = 0x29;
/** Stopped by a signal, and by a debugger. */
const stopped = [0x54, 0x74];

export class StopWatch {
  readonly #file: Fd | null;
  /** pid and name are in it, and the state. */
  readonly #start = new Uint8Array(new ArrayBuffer(64));

  constructor(pid: number) {
    this.#file = openStat(pid);
  }

  /** False too where there is no /proc, and once the process is gone. */
  isStopped(): boolean {
    if (this.#file === null) return false;
    rewind(this.#file.number);
    const length = readOrErrno(this.#file.number, this.#start);
    if (length <= 0) return false;
    return stopped.includes(this.#start[this.#start.lastIndexOf(closing, length - 1) + 2]!);
  }
}

function openStat(pid: number): Fd | null {
  try {
    return openFd(cString(utf8(`/proc/${pid}/stat`)), O.RDONLY);
  } catch (error) {
    if (error instanceof SyscallError) return null;
    throw error;
  }
}
