/** /proc/PID/stat (proc_pid_stat(5)): whose child a process is, and since when. */
import { libc } from "./libc.ts";
import { cString, utf8 } from "./bytes.ts";
import { O } from "./fd.ts";

export interface ProcessStat {
  /** 0: the parent is outside of the pid namespace, or there is none. */
  readonly parent: number;
  readonly session: number;
  /** Clock ticks since boot. */
  readonly startTicks: number;
}

/** pid, a name of 64 bytes at most, and 50 numbers. */
const buffer = new Uint8Array(2048);
const closingParenthesis = 0x29;

// Counted from behind the name, which may have blanks and parentheses in it.
const parentField = 1;
const sessionField = 3;
const startField = 19;

/** Null: there is no such process, or it is not shown to us. */
export function processStat(pid: number): ProcessStat | null {
  const fd = libc.open(cString(utf8(`/proc/${pid}/stat`)), O.RDONLY | O.CLOEXEC, 0);
  if (fd < 0) return null;
  const length = libc.read(fd, buffer, buffer.length); // ESRCH if it has ended meanwhile
  libc.close(fd);
  return length <= 0 ? null : parseProcessStat(buffer.subarray(0, length));
}

/** @returns null for what is no such line */
export function parseProcessStat(line: Uint8Array): ProcessStat | null {
  const end = line.lastIndexOf(closingParenthesis);
  if (end < 0) return null;
  const fields = Buffer.from(line.subarray(end + 2))
    .toString("latin1")
    .split(" ");
  const numberAt = (field: number): number => Number(fields[field] ?? NaN);
  const [parent, session, startTicks] = [parentField, sessionField, startField].map(numberAt);
  if (![parent, session, startTicks].every(Number.isSafeInteger)) return null;
  return { parent: parent!, session: session!, startTicks: startTicks! };
}
