/** Where stdout and stderr of a command go: what its rule says, opened for it. */
import { cString, utf8 } from "../../ffi/bytes.ts";
import { Errno, errnoText, SyscallError } from "../../ffi/errno.ts";
import { giveTo, O, openFd, setBlocking } from "../../ffi/fd.ts";
import { ActionError } from "../errors.ts";
import { quoted } from "../log.ts";
import type { Output } from "../rule/policy.ts";
import type { OutputLog } from "./output-log.ts";

/** To be disposed of when the command has its copy, or can't be started. */
export interface CommandOutput extends Disposable {
  readonly fd: number;
  started(pid: number): void;
  /** @param then called when nothing stands in the way of saying that the command has ended */
  ended(then: () => void): void;
}

export interface OutputPlaces {
  /** facron's own. */
  readonly stderrFd: number;
  readonly outputLog: OutputLog;
}

/** @throws {ActionError} */
export function openOutput(
  output: Output,
  title: string,
  { stderrFd, outputLog }: OutputPlaces,
): CommandOutput {
  try {
    switch (output.kind) {
      case "inherit":
        return inherited(stderrFd);
      case "null":
        return opened(cString(utf8("/dev/null")), 0);
      case "file":
        return opened(cString(utf8(output.path)), O.APPEND | O.CREAT);
      case "log":
        return outputLog.open(title);
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw outputError(output, error);
  }
}

/** A program opens /dev/stderr anew, as shell scripts do: then the pipe has to be its user's. */
export function giveOutputTo(output: CommandOutput, uid: number, gid: number): void {
  try {
    giveTo(output.fd, uid, gid);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error; // in a user namespace, and worth no word
  }
}

/** Nothing is opened, and so nothing is to be done. */
class Inherited implements CommandOutput {
  readonly fd: number;
  constructor(fd: number) {
    this.fd = fd;
  }
  started(): void {}
  ended(then: () => void): void {
    then();
  }
  [Symbol.dispose](): void {}
}

let knownInherited = new Inherited(2);

/** The same for every command. */
function inherited(fd: number): CommandOutput {
  if (knownInherited.fd !== fd) knownInherited = new Inherited(fd);
  return knownInherited;
}

/**
 * open(2) without waiting: of a FIFO for a reader, of a terminal line for its carrier. The command has
 * it as any other file.
 */
function opened(path: Uint8Array, flags: number): CommandOutput {
  const file = openFd(path, O.WRONLY | O.NONBLOCK | O.NOCTTY | flags, 0o640);
  setBlocking(file.number, true);
  return {
    fd: file.number,
    started: () => {},
    ended: (then) => then(),
    [Symbol.dispose]: () => file.close(),
  };
}

function outputError(output: Output, error: SyscallError): ActionError {
  const { errno } = error;
  const what = output.kind === "file" ? quoted(output.path) : "a pipe";
  const reason = reasons[errno] ?? errnoText(errno);
  return new ActionError(`Cannot open ${what} for the command's output: ${reason}`, {
    cause: error,
  });
}

const reasons: Readonly<Record<number, string>> = {
  [Errno.ENOENT]: "its directory does not exist; make it, or correct output",
  [Errno.ENOTDIR]: "what stands before its name is no directory; correct output",
  [Errno.EACCES]: "permission denied; facron opens it as itself",
  [Errno.EISDIR]: "it is a directory; name a file in it",
  [Errno.ENXIO]:
    "it is a FIFO that nobody reads, or a socket; start its reader first, or name a file",
  [Errno.EROFS]: "its filesystem is read-only",
  [Errno.ENOSPC]: "no space is left",
  [Errno.EMFILE]:
    "facron has too many open files: lower max_running, or raise the limit (LimitNOFILE= in the unit, ulimit -n)",
};
