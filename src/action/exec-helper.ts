/**
 * The hidden helper: facron starts itself as this process, which becomes another user and then the
 * command, with its pid, its group and its exit status.
 *
 * A process of its own, and no posix_spawn(3) with changed credentials: that shares facron's memory
 * until execve(2), and a user may stop or trace what already runs as it.
 */
import { cString, lossyText } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { readNow, setCloseOnExec, writeNow } from "../../ffi/fd.ts";
import { lastErrno, libc } from "../../ffi/libc.ts";
import { becomeProgram, StringVector } from "../../ffi/process.ts";
import type { Account } from "../../ffi/users.ts";
import { commandLine, givenEnvironment } from "../environment.ts";
import { setSoftLimit } from "./limits.ts";

/** The first word of the helper's command line. */
export const execWord = "__exec";

export interface HelperTask {
  readonly account: Account;
  /** Where the helper finds the writing end of its pipe. */
  readonly reportFd: number;
  /** RLIMIT_NOFILE of the command: the helper's own was raised by Bun. */
  readonly softFileLimit: number;
  /** What the user has to be able to read, or empty. */
  readonly place: Uint8Array;
  /** Of the program: it may differ from `argv[0]`. */
  readonly path: Uint8Array;
}

/** What stands before the command's own words on the helper's command line; `place` and `path` are bytes. */
export function helperWords({
  account,
  reportFd,
  softFileLimit,
  place,
  path,
}: HelperTask): Uint8Array[] {
  const { uid, gid, groups } = account;
  const numbers = [reportFd, softFileLimit, uid, gid, ...groups].join(",");
  return [Buffer.from(execWord), Buffer.from(numbers), place, path];
}

/** What the helper said before it was gone. */
export type HelperReport =
  /** Nothing: it never got as far as that. */
  | { readonly kind: "silent" }
  /** The command has taken over. */
  | { readonly kind: "executed" }
  | { readonly kind: "failed"; readonly at: HelperStep; readonly errno: number };

export type HelperStep = "user" | "access" | "execve";
const steps: readonly HelperStep[] = ["user", "access", "execve"];

/** @param fd reading end of the pipe, nonblocking; the helper has ended or become the command */
export function readHelperReport(fd: number): HelperReport {
  const words = new Int32Array(3); // 0 right before execve(2), then step and errno if one failed
  const length = readNow(fd, new Uint8Array(words.buffer));
  if (length < 4) return { kind: "silent" };
  if (length < 12) return { kind: "executed" };
  return { kind: "failed", at: steps[words[1]!]!, errno: words[2]! };
}

/** Become the user, then the command; exit 127 if that can't be. */
export function runExecHelper(): never {
  const words = commandLine();
  const start = words.findIndex((word) => lossyText(word) === execWord) + 1;
  const [numbers, place, path, ...argv] = words.slice(start);
  const [reportFd, softFileLimit, uid, gid, ...groups] = lossyText(numbers!).split(",").map(Number);
  const report = (...said: number[]) =>
    writeNow(reportFd!, new Uint8Array(new Int32Array(said).buffer));
  const fail = (at: HelperStep, errno: number): never => {
    report(0, steps.indexOf(at), errno);
    process.exit(127);
  };
  setCloseOnExec(reportFd!);
  const environment = new StringVector().set(givenEnvironment()); // while /proc lets us read it
  setSoftLimit(softFileLimit!);
  resetSignals();
  const errno = become(uid!, gid!, groups);
  if (errno !== 0) fail("user", errno);
  if (place!.length > 0 && !mayRead(place!)) fail("access", Errno.EACCES);
  try {
    report(0);
    becomeProgram(path!, new StringVector().set(argv), environment);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    report(steps.indexOf("execve"), error.errno);
    process.exit(127);
  }
}

const SIGPIPE = 13;
const SIGXFSZ = 25;
const SIG_DFL = 0;
const SIG_SETMASK = 2;

/** execve(2) keeps what is ignored, and Bun ignores these two in every process of its own. */
function resetSignals(): void {
  libc.signal(SIGPIPE, SIG_DFL);
  libc.signal(SIGXFSZ, SIG_DFL);
  libc.sigprocmask(SIG_SETMASK, new Uint8Array(128), null);
}

/** Groups first: a user may not change them. @returns errno, 0 if it is done and can't be undone */
function become(uid: number, gid: number, groups: readonly number[]): number {
  const list = new Uint32Array(groups);
  if (libc.setgroups(list.length, list) < 0) return lastErrno();
  if (libc.setresgid(gid, gid, gid) < 0) return lastErrno();
  if (libc.setresuid(uid, uid, uid) < 0) return lastErrno();
  const isUndone = uid !== 0 && libc.setresuid(0, 0, 0) === 0;
  return isUndone ? Errno.EPERM : 0;
}

const R_OK = 4;
const X_OK = 1;
const AT_FDCWD = -100;
const slash = 0x2f;

/** access(2) as the user that we are by now; what is gone is judged by the nearest directory that is there. */
function mayRead(place: Uint8Array): boolean {
  if (libc.faccessat(AT_FDCWD, cString(place), R_OK, 0) === 0) return true;
  const errno = lastErrno();
  if (errno !== Errno.ENOENT && errno !== Errno.ENOTDIR) return false;
  for (let path = parentOf(place); ; path = parentOf(path)) {
    if (libc.faccessat(AT_FDCWD, cString(path), R_OK | X_OK, 0) === 0) return true;
    if (lastErrno() !== Errno.ENOENT || path.length <= 1) return false;
  }
}

function parentOf(path: Uint8Array): Uint8Array {
  return path.subarray(0, Math.max(path.lastIndexOf(slash), 1));
}
