/** Why a program could not be started, and what cures it: one sentence for every errno of execve(2). */
import { closeSync, constants, openSync, readSync, type Stats, statSync } from "node:fs";
import { lossyText } from "../../ffi/bytes.ts";
import { Errno, errnoText } from "../../ffi/errno.ts";
import { ActionError } from "../errors.ts";
import { quoted } from "../log.ts";

/** What is the same for every program. What needs a look at the file has a function below. */
const cures: Readonly<Record<number, string>> = {
  [Errno.E2BIG]:
    "its arguments and the environment are too long (one argument: 128 KiB, all: a quarter of the stack limit)",
  [Errno.EAGAIN]:
    "too many processes: lower max_running, or raise the limit (TasksMax= in the unit, ulimit -u)",
  [Errno.ENOMEM]: "the system is out of memory: lower max_running",
  [Errno.EMFILE]:
    "facron has too many open files: lower max_running, or raise the limit (LimitNOFILE= in the unit, ulimit -n)",
  [Errno.ENFILE]:
    "the system has too many open files: raise it with sysctl fs.file-max, or lower max_running",
  [Errno.ETXTBSY]: "the file is open for writing: start it when it has been written",
};

/** What was to be started. */
export interface Refused {
  /** Word 0 as the user wrote it. */
  readonly program: Uint8Array;
  /** Where it was looked for. */
  readonly path: Uint8Array;
  /** Who was to start it, if that is not facron itself. */
  readonly user?: string;
}

/** The error for a program that execve(2), or fork(2) before it, refused. */
export function startError(refused: Refused, errno: number, cause?: unknown): ActionError {
  const { program, user } = refused;
  const who = user === undefined ? "" : ` as ${quoted(user)}`;
  const reason = reasonFor(refused, errno);
  return new ActionError(`Cannot start ${quoted(program)}${who}: ${reason}`, { cause });
}

/** The working directory of the rule, which chdir(2) refused. */
export function cwdError({ program, user }: Refused, cwd: string, errno: number): ActionError {
  const who = user === undefined ? "" : ` as ${quoted(user)}`;
  const reason = cwdReasons[errno] ?? errnoText(errno);
  return new ActionError(`Cannot start ${quoted(program)}${who} in ${quoted(cwd)}: ${reason}`);
}

const cwdReasons: Readonly<Record<number, string>> = {
  [Errno.ENOENT]: "no such directory; make it, or correct cwd",
  [Errno.ENOTDIR]: "it is not a directory; correct cwd",
  [Errno.EACCES]:
    "permission denied: the command's user needs x on it and on the directories above it",
};

/** Nothing to start: `$#` of a root directory, or an empty word in the configuration. */
export function emptyProgramError(): ActionError {
  return new ActionError(`Cannot start "": the first word of the command has to name a program`);
}

function reasonFor(refused: Refused, errno: number): string {
  if (errno === Errno.ENOENT) return missing(refused);
  if (errno === Errno.EACCES) return denied(refused);
  if (errno === Errno.ENOEXEC) return notAProgram(refused.path);
  return cures[errno] ?? errnoText(errno);
}

/** ENOENT: of the program, or of what the kernel starts in its place (execve(2), "Interpreter scripts"). */
function missing({ program, path }: Refused): string {
  if (statusOf(path) !== null) return interpreterMissing(path);
  if (program.includes(0x2f)) return "no such file";
  const directory = quoted(path.subarray(0, path.lastIndexOf(0x2f)));
  return `no such file in ${directory}: PATH is not searched, write the whole path`;
}

function interpreterMissing(path: Uint8Array): string {
  const line = /^#![ \t]*([^ \t\n]+)/.exec(startOf(path))?.[1];
  if (line === undefined)
    return "its dynamic loader does not exist: it was built for another system";
  const interpreter = `the interpreter ${quoted(line)} in its first line does not exist`;
  if (!line.endsWith("\r")) return interpreter;
  return `${interpreter}: the file has DOS line ends, remove them with sed -i 's/\\r$//'`;
}

/** EACCES: of the file, of a directory on the way, of its interpreter or of the whole filesystem. */
function denied({ path, user }: Refused): string {
  const status = statusOf(path);
  if (status === null) return "permission denied for a directory on the way to it";
  if (status.isDirectory()) return "it is a directory";
  if (!status.isFile()) return "it is not a regular file";
  if ((status.mode & 0o111) === 0) return "it is not executable: chmod +x makes it so";
  const more = user === undefined ? "" : " at those of the directories above them,";
  return `permission denied: look at its mode, at its interpreter's,${more} and for a mount with noexec`;
}

/** ENOEXEC: execvp(3) and shells would run it with /bin/sh; execve(2) does not, and nor does facron. */
function notAProgram(path: Uint8Array): string {
  const start = startOf(path);
  if (start === "") return "the file is empty";
  if (start.startsWith("\x7fELF")) return "it is damaged, or built for another processor";
  return 'it has no #! line and facron uses no shell: add "#!/bin/sh" as its first line';
}

/** Null: it is not there, or not for us to see. */
function statusOf(path: Uint8Array): Stats | null {
  try {
    return statSync(Buffer.from(path));
  } catch {
    return null;
  }
}

/** What the kernel looks at (BINPRM_BUF_SIZE). */
const startBytes = 256;

/** How the file begins, as text; empty if it cannot be read. */
function startOf(path: Uint8Array): string {
  const start = new Uint8Array(startBytes);
  try {
    const fd = openSync(Buffer.from(path), constants.O_RDONLY | constants.O_NONBLOCK);
    const length = readSync(fd, start, 0, startBytes, 0);
    closeSync(fd);
    return lossyText(start.subarray(0, length));
  } catch {
    return "";
  }
}
