/** Starts the commands of rules: as facron itself, or by way of the helper as something else. */
import { statSync } from "node:fs";
import { pathBytes } from "../../ffi/bytes.ts";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { memoryFile } from "../../ffi/memfd.ts";
import { canSpawnElsewhere, type SpawnPlace, StringVector } from "../../ffi/process.ts";
import type { Identity } from "../../ffi/credentials.ts";
import type { Account } from "../../ffi/users.ts";
import { ActionError } from "../errors.ts";
import type { Surroundings } from "../rule/policy.ts";
import type { RunAs } from "../rule/rule.ts";
import { mayRead } from "./access.ts";
import { accountFor, groupFor, identityFor } from "./account.ts";
import { Cgroup } from "./cgroup.ts";
import { startProcess } from "./child-process.ts";
import { type CommandEnvironment, environmentFor } from "./command-environment.ts";
import { giveOutputTo, openOutput } from "./command-output.ts";
import { AccessDenied } from "./denials.ts";
import type { Ending } from "./ending.ts";
import type { OutputLog } from "./output-log.ts";
import { cwdError, emptyProgramError, type Refused, startError } from "./start-error.ts";
import { startHelper } from "./start-helper.ts";
import { type Started, StartedCommand } from "./started.ts";

/** One command as it is to be started. */
export interface Start {
  /** Bytes without NUL; not kept. */
  readonly argv: readonly Uint8Array[];
  /** `NAME=value` entries that tell of the event. */
  readonly variables: readonly Uint8Array[];
  readonly runAs: RunAs | null;
  /** The place that told of the event. */
  readonly place: Uint8Array;
  /** Null: as facron's own. */
  readonly surroundings: Surroundings | null;
  /** What the command may read; null: /dev/null. Not kept. */
  readonly stdin: StdinSource | null;
  /** `rule "import"`: for the lines that it writes to the log. */
  readonly title: string;
}

export type StdinSource = Uint8Array;

export interface SpawnOptions {
  /** Where a relative program starts; the command itself runs in facron's working directory. */
  readonly cwd: string;
  /** How facron starts itself: for commands as another user. */
  readonly self: readonly string[];
  /** Where the command's stdout and stderr go, unless its rule says otherwise. */
  readonly stderrFd: number;
  readonly outputLog: OutputLog;
  /** Called once when the command has ended, and never if it could not be started. */
  readonly onExit: (ending: Ending) => void;
}

/**
 * Start a program without a shell, in a process group of its own.
 *
 * It gets /dev/null or its stdin, its output twice and no other descriptor, the environment that facron
 * was started with, every signal at its default and none blocked. Word 0 is a path: PATH is not
 * searched (execv(3), as facron 1.1 had it).
 *
 * posix_spawn by FFI and not Bun.spawn: that cannot pass on bytes which are not UTF-8, and its only
 * way to a process group is setsid(2), which costs a fifth of the starts per second where the
 * scheduler groups processes by session (sched_autogroup). `npm run bench` shows the difference.
 *
 * As another user or group, with umask or nice, and in a cgroup it is started by way of a helper
 * (`exec-helper.ts`), which costs some 10 ms.
 *
 * stdin is a file in memory and not a pipe: nobody has to wait for a command that does not read it.
 *
 * @throws {ActionError} one sentence with the cure
 */
export function spawnCommand(start: Start, options: SpawnOptions): Started {
  const program = start.argv[0];
  if (program === undefined || program.length === 0) throw emptyProgramError();
  const target = { program, path: lookupPath(program, options.cwd) };
  const who = whoFor(start);
  const { surroundings } = start;
  const output = openOutput(surroundings?.output ?? inherit, start.title, options);
  using _output = output;
  if (who.account !== null && surroundings?.output?.kind === "log")
    giveOutputTo(output, who.account.uid, who.account.gid);
  using stdin = start.stdin === null ? null : stdinFile(start.stdin);
  const cgroup = surroundings?.cgroup === undefined ? null : new Cgroup(surroundings.cgroup);
  const command = new StartedCommand(cgroup, output, options.onExit);
  const spawnPlace = {
    stdinFd: stdin?.number ?? null,
    outputFd: output.fd,
    isSession: surroundings?.session === true,
  };
  try {
    command.begin(startProgram({ start, target, who, spawnPlace, cgroup, command, options }));
  } catch (error) {
    cgroup?.remove();
    throw error;
  }
  return command;
}

const inherit = { kind: "inherit" } as const;

interface Who {
  readonly account: Account | null;
  readonly identity: Identity | null;
  readonly environment: CommandEnvironment;
}

/** @throws {ActionError} if there is no such user or group, or if it may not read the place */
function whoFor({ runAs, surroundings, place }: Start): Who {
  const account = runAs === null ? null : accountFor(runAs);
  const group = surroundings?.group;
  const identity = identityFor(account, group === undefined ? null : groupFor(group));
  const clears = runAs?.clearsEnvironment === true || surroundings?.clearsEnvironment === true;
  const environment = environmentFor(account, surroundings, clears);
  if (identity === null && runAs?.needsAccess === true && !mayRead(place))
    throw new AccessDenied(account!.name, place);
  return { account, identity, environment };
}

/** @throws {ActionError} */
function stdinFile(bytes: Uint8Array) {
  try {
    return memoryFile(bytes);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const message = `Cannot keep ${bytes.length} bytes for the command's stdin in memory: ${error.message}; lower batch.max, or max_running`;
    throw new ActionError(message, { cause: error });
  }
}

interface Starting {
  readonly start: Start;
  readonly target: Refused;
  readonly who: Who;
  readonly spawnPlace: Omit<SpawnPlace, "cwd">;
  readonly cgroup: Cgroup | null;
  readonly command: StartedCommand;
  readonly options: SpawnOptions;
}

/** @returns its pid, which is also its process group */
function startProgram(starting: Starting): number {
  const { start, target, who, spawnPlace, cgroup, command, options } = starting;
  const { runAs, surroundings, argv } = start;
  if (!needsHelper(starting)) return startDirectly(starting);
  const { cwd = null, umask = null, nice = null, group = null } = surroundings ?? {};
  const helped = {
    target,
    argv,
    environment: who.environment.strings(start.variables),
    place: runAs?.needsAccess === true ? start.place : noBytes,
    user: who.account?.name ?? null,
    group,
    identity: who.identity,
    cwd,
    umask,
    nice,
    cgroups: cgroup?.directories ?? [],
  };
  const place = { ...spawnPlace, cwd: null };
  return startHelper(helped, { self: options.self, spawnPlace: place, onExit: command.ended });
}

function needsHelper({ start: { surroundings }, who, cgroup }: Starting): boolean {
  if (who.identity !== null || cgroup !== null) return true;
  if (surroundings === null) return false;
  const { umask, nice, cwd } = surroundings;
  return umask !== undefined || nice !== undefined || (cwd !== undefined && !canSpawnElsewhere);
}

function startDirectly({ start, target, who, spawnPlace, command }: Starting): number {
  const cwd = start.surroundings?.cwd;
  try {
    const program = {
      path: target.path,
      argv: words.set(start.argv),
      environment: who.environment.vector(start.variables),
      spawnPlace: { ...spawnPlace, cwd: cwd === undefined ? null : pathBytes(cwd) },
    };
    return startProcess(program, command.ended);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const cwdErrno = cwd === undefined ? 0 : whyNotIn(cwd);
    if (cwdErrno !== 0) throw cwdError(target, cwd!, cwdErrno);
    throw startError(target, error.errno, error);
  }
}

/** posix_spawn(3) does not say which of its steps has failed. @returns errno, 0 if it is not the directory */
function whyNotIn(cwd: string): number {
  try {
    return statSync(`${cwd}/.`).isDirectory() ? 0 : Errno.ENOTDIR;
  } catch (error) {
    return Math.abs((error as NodeJS.ErrnoException).errno ?? Errno.ENOENT);
  }
}

const noBytes = new Uint8Array(0);
const words = new StringVector();
const slash = 0x2f;

function lookupPath(program: Uint8Array, cwd: string): Uint8Array {
  return program[0] === slash ? program : Buffer.concat([pathBytes(`${cwd}/`), program]);
}
