/**
 * The hidden helper: facron starts itself as this process, which becomes what the rule says (another
 * user, another priority, a member of a cgroup) and then the command, with its pid, its group and its
 * exit status.
 *
 * A process of its own, and no posix_spawn(3) with changed credentials: that shares facron's memory
 * until execve(2), and a user may stop or trace what already runs as it.
 *
 * Its own environment is facron's. That of the command comes with the task: a variable of the rule
 * (LD_PRELOAD) would otherwise be obeyed by a process that is still root.
 */
import { lossyText, utf8 } from "../../ffi/bytes.ts";
import { becomeUser } from "../../ffi/credentials.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { Fd, readNow, setCloseOnExec, writeNow } from "../../ffi/fd.ts";
import { setSoftLimit } from "../../ffi/limits.ts";
import { becomeProgram, StringVector } from "../../ffi/process.ts";
import { changeDirectory, setNice, setUmask } from "../../ffi/surroundings.ts";
import { commandLine } from "../environment.ts";
import { mayRead } from "./access.ts";
import { joinCgroup } from "./cgroup-files.ts";
import { decodeTask, type ExecTask } from "./exec-task.ts";
import { resetSignals } from "./limits.ts";

/** The first word of the helper's command line. */
export const execWord = "__exec";

/** Where the helper finds what it needs. */
export interface HelperDescriptors {
  /** A file with an `ExecTask`. */
  readonly taskFd: number;
  /** The writing end of its pipe. */
  readonly reportFd: number;
}

export function helperWords({ taskFd, reportFd }: HelperDescriptors): Uint8Array[] {
  return [utf8(execWord), utf8(`${taskFd},${reportFd}`)];
}

/** What the helper said before it was gone. */
export type HelperReport =
  /** Nothing: it never got as far as that. */
  | { readonly kind: "silent" }
  /** The command has taken over. */
  | { readonly kind: "executed" }
  | { readonly kind: "failed"; readonly at: HelperStep; readonly errno: number };

export type HelperStep = "nice" | "cgroup" | "user" | "access" | "cwd" | "execve";
const steps: readonly HelperStep[] = ["nice", "cgroup", "user", "access", "cwd", "execve"];

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

/** Become the command; exit 127 if that can't be. */
export function runExecHelper(): never {
  const { task, reportFd } = taskOnCommandLine();
  setCloseOnExec(reportFd);
  const report = (...said: number[]) =>
    writeNow(reportFd, new Uint8Array(new Int32Array(said).buffer));
  setSoftLimit(task.softFileLimit);
  resetSignals(SIGPIPE, SIGXFSZ);
  const failed = prepare(task);
  if (failed !== null) {
    report(0, steps.indexOf(failed.at), failed.errno);
    process.exit(127);
  }
  report(0);
  try {
    const environment = new StringVector().set(task.environment);
    becomeProgram(task.path, new StringVector().set(task.argv), environment);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    report(steps.indexOf("execve"), error.errno);
    process.exit(127);
  }
}

interface Failure {
  readonly at: HelperStep;
  readonly errno: number;
}

/**
 * What needs privilege comes first, and then what is the user's own to do: a directory, on NFS perhaps,
 * may be closed to root and open to the user.
 */
function prepare({ nice, umask, cgroups, identity, place, cwd }: ExecTask): Failure | null {
  const tries: readonly [at: HelperStep, attempt: () => number][] = [
    ["nice", () => (nice === null ? 0 : setNice(nice))],
    ["cgroup", () => firstErrno(cgroups, joinCgroup)],
    ["user", () => (identity === null ? 0 : becomeUser(identity))],
    ["access", () => (place.length > 0 && !mayRead(place) ? Errno.EACCES : 0)],
    ["cwd", () => (cwd === null ? 0 : changeDirectory(utf8(cwd)))],
  ];
  if (umask !== null) setUmask(umask);
  for (const [at, attempt] of tries) {
    const errno = attempt();
    if (errno !== 0) return { at, errno };
  }
  return null;
}

function firstErrno(directories: readonly string[], join: (directory: string) => number): number {
  for (const directory of directories) {
    const errno = join(directory);
    if (errno !== 0) return errno;
  }
  return 0;
}

/** The way back from `helperWords`. */
function taskOnCommandLine(): { readonly task: ExecTask; readonly reportFd: number } {
  const words = commandLine();
  const at = words.findIndex((word) => lossyText(word) === execWord) + 1;
  const given = /^(\d+),(\d+)$/.exec(lossyText(words[at] ?? new Uint8Array(0)));
  if (given === null) return notByHand();
  const task = readTask(Number(given[1]));
  return task === null ? notByHand() : { task, reportFd: Number(given[2]) };
}

/** @returns null if somebody else has given us something else */
function readTask(taskFd: number): ExecTask | null {
  using file = new Fd(taskFd);
  const pieces: Uint8Array[] = [];
  try {
    for (;;) {
      const piece = new Uint8Array(64 * 1024);
      const length = readNow(file.number, piece);
      if (length <= 0) return decodeTask(Buffer.concat(pieces));
      pieces.push(piece.subarray(0, length));
    }
  } catch {
    return null;
  }
}

function notByHand(): never {
  process.stderr.write(
    `facron: error: ${execWord} is how facron starts commands; not for the command line\n`,
  );
  process.exit(2);
}
