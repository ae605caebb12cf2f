/** Starts a command by way of the helper, and makes sentences of what that reports. */
import { utf8 } from "../../ffi/bytes.ts";
import { Errno, errnoText, SyscallError } from "../../ffi/errno.ts";
import { keepOnExec, openPipe } from "../../ffi/fd.ts";
import { memoryFile } from "../../ffi/memfd.ts";
import { type SpawnPlace, StringVector } from "../../ffi/process.ts";
import { givenEnvironment } from "../environment.ts";
import { ActionError } from "../errors.ts";
import { quoted } from "../log.ts";
import { startProcess } from "./child-process.ts";
import { AccessDenied } from "./denials.ts";
import { type Ending, endingText } from "./ending.ts";
import { type HelperReport, helperWords, readHelperReport } from "./exec-helper.ts";
import { encodeTask, type ExecTask } from "./exec-task.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import { cwdError, type Refused, startError } from "./start-error.ts";

export interface Helped extends Omit<ExecTask, "path" | "softFileLimit"> {
  readonly target: Refused;
  /** Whom the rule names; null: nobody. */
  readonly user: string | null;
  /** The group that it names. */
  readonly group: string | null;
}

export interface HelperOptions {
  /** How facron starts itself. */
  readonly self: readonly string[];
  readonly spawnPlace: SpawnPlace;
  /** "not-started" is an ending too: the helper's, and not the command's. */
  readonly onExit: (ending: Ending) => void;
}

/** What runs as us, also after it has been replaced or removed by an upgrade (proc_pid_exe(5)). */
const ownExecutable = utf8("/proc/self/exe");

const words = new StringVector();

let ownEnvironment: StringVector | null = null;

/** @throws {ActionError} if the helper cannot be started; all else comes as an ending */
export function startHelper(helped: Helped, { self, spawnPlace, onExit }: HelperOptions): number {
  const kept = keptOf(helped);
  ownEnvironment ??= new StringVector().set(givenEnvironment());
  const softFileLimit = fileLimitOf(0)!.soft;
  try {
    const { target, ...task } = helped;
    using file = memoryFile(encodeTask({ ...task, path: target.path, softFileLimit }));
    const pipe = openPipe();
    using writeEnd = pipe.write;
    const descriptors = { taskFd: file.number, reportFd: writeEnd.number };
    words.set([...self.map(utf8), ...helperWords(descriptors)]);
    const helper = { path: ownExecutable, argv: words, environment: ownEnvironment, spawnPlace };
    keepOnExec(file.number); // until they are closed here; nothing else is started meanwhile
    keepOnExec(writeEnd.number);
    try {
      return startProcess(helper, (ending) => {
        using readEnd = pipe.read;
        const error = whyNotStarted(readHelperReport(readEnd.number), ending, kept);
        onExit(error === null ? ending : { kind: "not-started", error });
      });
    } catch (error) {
      pipe.read.close();
      throw error;
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw startError(kept.refused, error.errno, error);
  }
}

/** What the sentence needs, which the trigger's buffer need not live on for. */
interface Kept {
  readonly refused: Refused;
  readonly place: Uint8Array;
  readonly user: string | null;
  readonly group: string | null;
  readonly nice: number | null;
  readonly cwd: string | null;
}

function keptOf({ target, place, user, group, nice, cwd }: Helped): Kept {
  const program = target.program.slice();
  const as = user === null ? {} : { user };
  const refused = { program, path: target.path.slice(), ...as };
  return { refused, place: place.slice(), user, group, nice, cwd };
}

/** Null: the ending is the command's. */
function whyNotStarted(report: HelperReport, ending: Ending, kept: Kept): ActionError | null {
  if (report.kind === "executed") return null;
  const { refused, user, group, place, cwd } = kept;
  if (report.kind === "silent")
    return new ActionError(
      `${cannotRun(kept)}: facron's helper ${endingText(ending)} before it had started the command`,
    );
  const { at, errno } = report;
  switch (at) {
    case "access":
      return new AccessDenied(user!, place);
    case "execve":
      return startError(refused, errno);
    case "cwd":
      return cwdError(refused, cwd!, errno);
    case "nice":
      return new ActionError(`${cannotRun(kept)} with nice ${kept.nice}: ${niceCure(errno)}`);
    case "cgroup":
      return new ActionError(`${cannotRun(kept)} in a cgroup of its own: ${cgroupCure(errno)}`);
    case "user": {
      const withGroup = group === null ? "" : ` with the group ${quoted(group)}`;
      return new ActionError(`${cannotRun(kept)}${withGroup}: ${becomeCure(errno)}`);
    }
  }
}

function cannotRun({ user, refused }: Kept): string {
  if (user !== null) return `Cannot run as ${quoted(user)}`;
  return `Cannot start ${quoted(refused.program)}`;
}

/** setgroups(2), setresgid(2), setresuid(2) */
function becomeCure(errno: number): string {
  if (errno === Errno.EPERM)
    return "facron lacks CAP_SETUID or CAP_SETGID: add them to CapabilityBoundingSet= in its unit, or to its container";
  if (errno === Errno.EINVAL)
    return "its uid, or one of its groups, has no meaning in the user namespace that facron runs in: map it";
  return errnoText(errno);
}

/** setpriority(2) */
function niceCure(errno: number): string {
  if (errno === Errno.EACCES || errno === Errno.EPERM)
    return "facron lacks CAP_SYS_NICE: run it as root, raise LimitNICE= in its unit, or choose a higher number";
  return errnoText(errno);
}

function cgroupCure(errno: number): string {
  if (errno === Errno.ENOENT || errno === Errno.ENODEV)
    return "somebody has removed it: leave directories named facron.* below facron's own cgroup alone";
  if (errno === Errno.EACCES || errno === Errno.EPERM)
    return "facron may not move processes there: run it as root, or set Delegate=yes in its unit";
  return errnoText(errno);
}
