/** Starts a command as another user, by way of the helper, and makes sentences of what that reports. */
import { utf8 } from "../../ffi/bytes.ts";
import { Errno, errnoText, SyscallError } from "../../ffi/errno.ts";
import { keepOnExec, openPipe } from "../../ffi/fd.ts";
import { StringVector } from "../../ffi/process.ts";
import type { Account } from "../../ffi/users.ts";
import { ActionError } from "../errors.ts";
import { quoted } from "../log.ts";
import { startProcess } from "./child-process.ts";
import { AccessDenied } from "./denials.ts";
import { type Ending, endingText } from "./ending.ts";
import { type HelperReport, helperWords, readHelperReport } from "./exec-helper.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import { type Refused, startError } from "./start-error.ts";

export interface Helped {
  readonly target: Refused;
  readonly argv: readonly Uint8Array[];
  readonly account: Account;
  /** What the account has to be able to read, or empty. */
  readonly place: Uint8Array;
  readonly environment: StringVector;
}

export interface HelperOptions {
  /** How facron starts itself. */
  readonly self: readonly string[];
  readonly stderrFd: number;
  /** "not-started" is an ending too: the helper's, and not the command's. */
  readonly onExit: (ending: Ending) => void;
}

/** What runs as us, also after it has been replaced or removed by an upgrade (proc_pid_exe(5)). */
const ownExecutable = utf8("/proc/self/exe");

const words = new StringVector();

/** @throws {ActionError} if the helper cannot be started; all else comes as an ending */
export function startHelper(helped: Helped, { self, stderrFd, onExit }: HelperOptions): number {
  const { account, environment } = helped;
  const refused = keptOf(helped);
  try {
    const pipe = openPipe();
    using writeEnd = pipe.write;
    words.set([...self.map(utf8), ...wordsOf(helped, writeEnd.number)]);
    const helper = { path: ownExecutable, argv: words, environment, stderrFd };
    keepOnExec(writeEnd.number); // until the helper takes it back; nothing else is started meanwhile
    try {
      return startProcess(helper, (ending) => {
        using readEnd = pipe.read;
        const error = whyNotStarted(readHelperReport(readEnd.number), ending, account, refused);
        onExit(error === null ? ending : { kind: "not-started", error });
      });
    } catch (error) {
      pipe.read.close();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw startError(refused, error.errno, error);
  }
}

function wordsOf({ target, argv, account, place }: Helped, reportFd: number): Uint8Array[] {
  const softFileLimit = fileLimitOf(0)!.soft;
  const task = { account, reportFd, softFileLimit, place, path: target.path };
  return [...helperWords(task), ...argv];
}

/** What the sentence needs, which the trigger's buffer need not live on for. */
interface Kept extends Refused {
  readonly place: Uint8Array;
}

function keptOf({ target, account, place }: Helped): Kept {
  const { program, path } = target;
  return {
    program: program.slice(),
    path: path.slice(),
    user: account.name,
    place: place.slice(),
  };
}

/** Null: the ending is the command's. */
function whyNotStarted(
  report: HelperReport,
  ending: Ending,
  { name }: Account,
  refused: Kept,
): ActionError | null {
  if (report.kind === "executed") return null;
  if (report.kind === "silent")
    return new ActionError(
      `Cannot run as ${quoted(name)}: facron's helper ${endingText(ending)} before it had started the command`,
    );
  switch (report.at) {
    case "access":
      return new AccessDenied(name, refused.place);
    case "execve":
      return startError(refused, report.errno);
    case "user":
      return new ActionError(`Cannot run as ${quoted(name)}: ${becomeCure(report.errno)}`);
  }
}

/** setgroups(2), setresgid(2), setresuid(2) */
function becomeCure(errno: number): string {
  if (errno === Errno.EPERM)
    return "facron lacks CAP_SETUID or CAP_SETGID: add them to CapabilityBoundingSet= in its unit, or to its container";
  if (errno === Errno.EINVAL)
    return "its uid, or one of its groups, has no meaning in the user namespace that facron runs in: map it";
  return errnoText(errno);
}
