/** Processes of ours: started by posix_spawn(3), and their end heard of by SIGCHLD. The only file that does. */
import { constants } from "node:os";
import {
  endedChild,
  posixSpawn,
  reapAny,
  type SpawnPlace,
  type StringVector,
  waitNow,
  type WaitStatus,
} from "../../ffi/process.ts";
import type { Ending } from "./ending.ts";

/** What posix_spawn(3) is given. */
export interface Program {
  readonly path: Uint8Array;
  readonly argv: StringVector;
  readonly environment: StringVector;
  readonly spawnPlace: SpawnPlace;
}

const onExitByPid = new Map<number, (ending: Ending) => void>();

/**
 * @param onExit called once when it has ended
 * @returns its pid, which is also its process group
 * @throws {SyscallError} what execve(2) or fork(2) gave
 */
export function startProcess(
  { path, argv, environment, spawnPlace }: Program,
  onExit: (ending: Ending) => void,
): number {
  listenForEnds();
  const pid = posixSpawn(path, argv, environment, spawnPlace);
  onExitByPid.set(pid, onExit);
  return pid;
}

let listens = false;

function listenForEnds(): void {
  if (listens) return;
  listens = true;
  process.on("SIGCHLD", reapSoon);
}

let reapsSoon = false;

/**
 * Bun 1.4.5 hands signals over before anything else. With short commands the next SIGCHLD has come before
 * all of one are seen to: messages, timers and other signals would have no turn until the last command.
 */
function reapSoon(): void {
  if (reapsSoon) return;
  reapsSoon = true;
  setImmediate(() => {
    reapsSoon = false;
    reap();
  });
}

/** One SIGCHLD may stand for many ends. */
function reap(): void {
  // Not those that are started meanwhile, in the places of those that have ended: that could go on for as
  // long as there is something to start.
  for (let left = onExitByPid.size; left > 0; left--) {
    const pid = endedChild();
    if (pid === 0) break;
    if (!reapOne(pid)) return reapEach();
  }
  // As init of a container we inherit what our commands leave behind.
  if (process.pid === 1) while (reapAny());
}

/** A child that is not ours has ended, and stands before the others: its status is not ours to take. */
function reapEach(): void {
  for (const pid of [...onExitByPid.keys()]) reapOne(pid);
  if (process.pid === 1) while (reapAny());
}

/** @returns whether it is a command of ours */
function reapOne(pid: number): boolean {
  const onExit = onExitByPid.get(pid);
  if (onExit === undefined) return false;
  const status = waitNow(pid);
  if (status === null) return true;
  onExitByPid.delete(pid);
  onExit(endingOf(status));
  return true;
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
