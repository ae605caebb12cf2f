/**
 * The hidden helper: facron starts itself as this process, which becomes another user and then the
 * command, with its pid, its group and its exit status.
 *
 * A process of its own, and no posix_spawn(3) with changed credentials: that shares facron's memory
 * until execve(2), and a user may stop or trace what already runs as it.
 */
import { lossyText } from "../../ffi/bytes.ts";
import { becomeUser } from "../../ffi/credentials.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { readNow, setCloseOnExec, writeNow } from "../../ffi/fd.ts";
import { becomeProgram, StringVector } from "../../ffi/process.ts";
import type { Account } from "../../ffi/users.ts";
import { commandLine, givenEnvironment } from "../environment.ts";
import { mayRead } from "./access.ts";
import { setSoftLimit } from "../../ffi/limits.ts";
import { resetSignals } from "./limits.ts";

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

// Bun ignores these two in every process of its own, and execve(2) keeps what is ignored.
const SIGPIPE = 13;
const SIGXFSZ = 25;

/** Become the user, then the command; exit 127 if that can't be. */
export function runExecHelper(): never {
  const { reportFd, softFileLimit, identity, place, path, argv } = taskOnCommandLine();
  const report = (...said: number[]) =>
    writeNow(reportFd, new Uint8Array(new Int32Array(said).buffer));
  setCloseOnExec(reportFd);
  const environment = new StringVector().set(givenEnvironment()); // while /proc lets us read it
  setSoftLimit(softFileLimit);
  resetSignals(SIGPIPE, SIGXFSZ);
  const errno = becomeUser(identity);
  if (errno !== 0) {
    report(0, steps.indexOf("user"), errno);
    process.exit(127);
  }
  if (place.length > 0 && !mayRead(place)) {
    report(0, steps.indexOf("access"), Errno.EACCES);
    process.exit(127);
  }
  report(0);
  try {
    becomeProgram(path, new StringVector().set(argv), environment);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    report(steps.indexOf("execve"), error.errno);
    process.exit(127);
  }
}

/** The way back from `helperWords`. */
function taskOnCommandLine() {
  const words = commandLine();
  const start = words.findIndex((word) => lossyText(word) === execWord) + 1;
  const [numbers, place, path, ...argv] = words.slice(start);
  const given = lossyText(numbers ?? new Uint8Array(0)).split(",");
  const isTask = given.length >= 5 && given.every((one) => /^\d+$/.test(one));
  if (path === undefined || place === undefined || !isTask) return notByHand();
  const [reportFd, softFileLimit, uid, gid, ...groups] = given.map(Number);
  const identity = { uid: uid!, gid: gid!, groups };
  return { reportFd: reportFd!, softFileLimit: softFileLimit!, identity, place, path, argv };
}

function notByHand(): never {
  process.stderr.write(
    `facron: error: ${execWord} is how facron starts commands; not for the command line\n`,
  );
  process.exit(2);
}
