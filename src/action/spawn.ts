/** Starts processes and hears of their end: the only file that does. */
import { constants } from "node:os";
import { utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { posixSpawn, reapAny, StringVector, waitNow, type WaitStatus } from "../../ffi/process.ts";
import { givenEnvironment } from "../environment.ts";
import type { Ending } from "./ending.ts";
import { emptyProgramError, startError } from "./start-error.ts";

export interface SpawnOptions {
  /** Where a relative program starts; the command itself runs in facron's working directory. */
  readonly cwd: string;
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
 * @param argv bytes without NUL; not kept
 * @returns its pid, which is also its process group
 * @throws {ActionError} one sentence with the cure
 */
export function spawnCommand(argv: readonly Uint8Array[], options: SpawnOptions): number {
  const program = argv[0];
  if (program === undefined || program.length === 0) throw emptyProgramError();
  const path = lookupPath(program, options.cwd);
  listenForEnds();
  try {
    const pid = posixSpawn(path, words.set(argv), environment(), options.stderrFd);
    onExitByPid.set(pid, options.onExit);
    return pid;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw startError({ program, path }, error.errno, error);
  }
}

const words = new StringVector();
const slash = 0x2f;

function lookupPath(program: Uint8Array, cwd: string): Uint8Array {
  return program[0] === slash ? program : Buffer.concat([utf8(`${cwd}/`), program]);
}

let knownEnvironment: StringVector | null = null;

function environment(): StringVector {
  knownEnvironment ??= new StringVector().set(givenEnvironment());
  return knownEnvironment;
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
