/**
 * The guard: a small process that shares the permission group with facron, and lets everything through
 * while facron does not answer: stopped (SIGSTOP, Ctrl-Z, a debugger), hung, or dying and held up by it.
 *
 * Whoever opens a gated file waits for facron, for ever if need be: the kernel lets all through only when
 * the last descriptor of the group is closed. So the guard, of all processes, must never wait for a gate:
 * once it has the group it opens nothing, and what it runs is in memory by then. It ends as soon as
 * facron is gone.
 */
import { SyscallError } from "../../ffi/errno.ts";
import { receiveDescriptors } from "../../ffi/descriptor-passing.ts";
import { duplicate, writeNow } from "../../ffi/fd.ts";
import { fileLimitOf } from "../../ffi/limits.ts";
import {
  exitNow,
  hearOfParentsEnd,
  ignoreSignals,
  setName,
  SIGCONT,
} from "../../ffi/own-process.ts";
import { changeDirectory } from "../../ffi/surroundings.ts";
import { utf8 } from "../../ffi/bytes.ts";
import { Pulse } from "./pulse.ts";
import { Standby } from "./standby.ts";
import { StopWatch } from "./stop-watch.ts";

/** The first word of the guard's command line. */
export const guardWord = "__guard";

/** The guard's end of the socket to facron. */
const socket = 0;

/** What the guard says to facron: ready for the group, and watching over it. */
export const guardSays = { ready: utf8("r"), watching: utf8("w") } as const;

/**
 * What a supervisor sends to all processes of facron's, or `pkill facron`: facron may take its time to
 * end, and is guarded until it has. HUP, INT, QUIT, USR1, USR2, TERM.
 */
const notForUs = [1, 2, 3, 10, 12, 15];

/**
 * An answer names a question by the number of its descriptor in the process that has read it, so that the
 * guard's answer to one of its own would be taken for one to a question of facron's with that number.
 * Therefore the guard takes no number below this. facron has fewer open.
 */
const lowestOfOurs = 16_384;

/** Some room for our own. */
const spareNumbers = 16;

/** Guard facron until it is gone. */
export function runGuard(): never {
  try {
    guard();
  } catch (error) {
    // Not in words: they would have to be written, and the source be opened.
    exitNow(error instanceof SyscallError ? error.errno : 1);
  }
  exitNow(0);
}

function guard(): void {
  setName("facron-guard");
  ignoreSignals(notForUs);
  hearOfParentsEnd(SIGCONT); // stopped together with facron, we would keep the group open after its end
  changeDirectory(utf8("/")); // keep no filesystem busy
  const stopWatch = new StopWatch(process.ppid);
  const below = takeNumbers();
  if (writeNow(socket, guardSays.ready) < 0) return;
  const received = receiveDescriptors(socket, 3);
  if (received === null) return; // facron is gone
  const [group, facron, memory] = received.map((fd) => fd.number) as [number, number, number];
  const standby = new Standby({
    group,
    facron,
    socket,
    below,
    stopWatch,
    pulse: new Pulse(memory),
  });
  standby.rehearse();
  writeNow(socket, guardSays.watching);
  standby.untilFacronIsGone();
}

/** @returns the number below which we have no questions */
function takeNumbers(): number {
  const below = Math.min(lowestOfOurs, fileLimitOf(0)!.soft - spareNumbers);
  while (duplicate(1) < below - 1);
  return below;
}
