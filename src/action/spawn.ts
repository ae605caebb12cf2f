/** Starts processes and hears of their end: the only file that does. */
import { constants } from "node:os";
import { utf8 } from "../../ffi/bytes.ts";
import { errnoText, SyscallError } from "../../ffi/errno.ts";
import { type Fd, keepOnExec, openPipe } from "../../ffi/fd.ts";
import { posixSpawn, reapAny, StringVector, waitNow, type WaitStatus } from "../../ffi/process.ts";
import type { Account } from "../../ffi/users.ts";
import { givenEnvironment } from "../environment.ts";
import { quoted } from "../log.ts";
import { withoutEventVariables } from "../rule/event-environment.ts";
import type { RunAs } from "../rule/rule.ts";
import { accountFor, environmentOf, isOurs } from "./account.ts";
import { type Ending, endingText } from "./ending.ts";
import { helperWords, readHelperReport } from "./exec-helper.ts";
import { fileLimitOf } from "./limits.ts";
import { emptyProgramError, type Refused, startError } from "./start-error.ts";

/** One command as it is to be started. */
export interface Start {
  /** Bytes without NUL; not kept. */
  readonly argv: readonly Uint8Array[];
  /** `NAME=value` entries that tell of the event. */
  readonly variables: readonly Uint8Array[];
  readonly runAs: RunAs | null;
  /** The place that told of the event. */
  readonly place: Uint8Array;
}

export interface SpawnOptions {
  /** Where a relative program starts; the command itself runs in facron's working directory. */
  readonly cwd: string;
  /** How facron starts itself: for commands as another user. */
  readonly self: readonly string[];
  /** The command's stdout and stderr. */
  readonly stderrFd: number;
  /** Called once when the command has ended, and never if it could not be started. */
  readonly onExit: (ending: Ending) => void;
}

/**
 * Start a program without a shell, in a process group of its own.
 *
 * It gets /dev/null, `stderrFd` twice and no other descriptor, the environment that facron was
 * started with, every signal at its default and none blocked. Word 0 is a path: PATH is not
 * searched (execv(3), as facron 1.1 had it).
 *
 * posix_spawn by FFI and not Bun.spawn: that cannot pass on bytes which are not UTF-8, and its only
 * way to a process group is setsid(2), which costs a fifth of the starts per second where the
 * scheduler groups processes by session (sched_autogroup). `npm run bench` shows the difference.
 *
 * As another user it is started by way of a helper (`exec-helper.ts`), which costs some 10 ms.
 *
 * @returns its pid, which is also its process group
 * @throws {ActionError} one sentence with the cure
 */
export function spawnCommand(start: Start, options: SpawnOptions): number {
  const program = start.argv[0];
  if (program === undefined || program.length === 0) throw emptyProgramError();
  const target = { program, path: lookupPath(program, options.cwd) };
  const { runAs } = start;
  if (runAs !== null) {
    const account = accountFor(runAs);
    const needsHelper = !isOurs(account);
    const base = environmentFor(account, runAs);
    if (needsHelper) return startHelper({ target, account, runAs, base }, start, options);
    return startDirectly(target, base, start, options);
  }
  return startDirectly(target, environment(), start, options);
}

function startDirectly(
  target: Refused,
  base: StringVector,
  { argv, variables }: Start,
  { stderrFd, onExit }: SpawnOptions,
): number {
  listenForEnds();
  try {
    const pid = posixSpawn(target.path, words.set(argv), base.set(variables), stderrFd);
    onExitByPid.set(pid, onExit);
    return pid;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw startError(target, error.errno, error);
  }
}

interface Helped {
  readonly target: Refused;
  readonly account: Account;
  readonly runAs: RunAs;
  readonly base: StringVector;
}

function startHelper(
  { target, account, runAs, base }: Helped,
  { argv, variables, place }: Start,
  { self, stderrFd, onExit }: SpawnOptions,
): number {
  listenForEnds();
  const pipe = openPipe();
  using writeEnd = pipe.write;
  const task = {
    account,
    reportFd: writeEnd.number,
    softFileLimit: fileLimitOf(0)!.soft,
    place: runAs.needsAccess ? place : noBytes,
    path: target.path,
  };
  const helper = [...self.map(utf8), ...helperWords(task), ...argv];
  try {
    keepOnExec(writeEnd.number); // until the helper takes it back; nothing else is started meanwhile
    const pid = posixSpawn(utf8(self[0]!), words.set(helper), base.set(variables), stderrFd);
    onExitByPid.set(pid, (ending) => {
      using report = pipe.read;
      onExit(helpedEnding(target, account, report, ending));
    });
    return pid;
  } catch (error) {
    pipe.read.close();
    if (!(error instanceof SyscallError)) throw error;
    throw startError({ program: utf8(self[0]!), path: utf8(self[0]!) }, error.errno, error);
  }
}

const noBytes = new Uint8Array(0);

/** The ending of the command, or why the helper never became it. */
function helpedEnding(target: Refused, account: Account, pipe: Fd, ending: Ending): Ending {
  const report = readHelperReport(pipe.number);
  if (report.kind === "executed") return ending;
  const name = quoted(account.name);
  if (report.kind === "silent") {
    const error = `Cannot run as ${name}: the helper for it ${endingText(ending)} before its time`;
    return { kind: "not-started", error };
  }
  if (report.at === "access") return { kind: "no-access", user: account.name };
  if (report.at === "execve") {
    const { message } = startError(target, report.errno);
    return { kind: "not-started", error: `${message} (as user ${name})` };
  }
  const error = `Cannot run as ${name}: ${errnoText(report.errno)}; look at the limits of that user`;
  return { kind: "not-started", error };
}

const environments = new WeakMap<Account, Map<boolean, StringVector>>();

function environmentFor(account: Account, runAs: RunAs): StringVector {
  const known = environments.get(account) ?? new Map<boolean, StringVector>();
  environments.set(account, known);
  const vector =
    known.get(runAs.clearsEnvironment) ??
    new StringVector().keep(environmentOf(account, runAs, baseEnvironment()));
  known.set(runAs.clearsEnvironment, vector);
  return vector;
}

const words = new StringVector();
const slash = 0x2f;

function lookupPath(program: Uint8Array, cwd: string): Uint8Array {
  return program[0] === slash ? program : Buffer.concat([utf8(`${cwd}/`), program]);
}

let knownEnvironment: StringVector | null = null;

function environment(): StringVector {
  knownEnvironment ??= new StringVector().keep(baseEnvironment());
  return knownEnvironment;
}

function baseEnvironment(): Uint8Array[] {
  return withoutEventVariables(givenEnvironment());
}

const onExitByPid = new Map<number, (ending: Ending) => void>();
let listens = false;

function listenForEnds(): void {
  if (listens) return;
  listens = true;
  process.on("SIGCHLD", reap);
}

/**
 * One SIGCHLD may stand for many ends, so every command is asked; by its own pid, as the status of
 * other children is not ours to take. A call that finds a running process costs 0.2 us.
 */
function reap(): void {
  for (const [pid, onExit] of onExitByPid) {
    const status = waitNow(pid);
    if (status === null) continue;
    onExitByPid.delete(pid);
    onExit(endingOf(status));
  }
  // As init of a container we inherit what our commands leave behind.
  if (process.pid === 1) while (reapAny());
}

function endingOf(status: WaitStatus): Ending {
  switch (status.kind) {
    case "exited":
      return status;
    case "killed":
      return { kind: "killed", signal: signalName(status.signal) };
    case "unknown":
      return { kind: "unknown", reason: "somebody else waited for it" };
  }
}

const namesBySignal = new Map(Object.entries(constants.signals).map(([name, n]) => [n, name]));

function signalName(signal: number): string {
  return namesBySignal.get(signal) ?? `signal ${signal}`;
}
