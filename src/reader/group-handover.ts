/** From one fanotify group to another, where the same is watched: no record is lost, and none is told twice. */
import { POLLIN, pollOne } from "../../ffi/poll.ts";
import { renameWaitMs } from "../watch/awaited.ts";
import type { WatchTable } from "../watch/watch-table.ts";
import { directoriesPerSlice } from "./tables.ts";

/** A group and its watches. */
export interface Group {
  /** Bytes of records that wait in the kernel's queue. */
  readonly queuedBytes: number;
  /** Read once and tell, or only follow, what it says. @returns bytes read */
  read(): number;
  /** Directories are still to be found. */
  readonly isWalking: boolean;
  /** `walk` finds more of them, whatever the records say. */
  readonly walksOn: boolean;
  walk(): void;
  /** Something waits for a moment in which no records are queued. */
  readonly isUnsettled: boolean;
  /** @param restMs only if nothing comes for so long */
  settle(restMs: number): void;
}

export const nothingWatched: Group = {
  queuedBytes: 0,
  read: () => 0,
  isWalking: false,
  walksOn: false,
  walk: () => {},
  isUnsettled: false,
  settle: () => {},
};

interface GroupOptions extends Pick<Group, "read"> {
  readonly settle: () => void;
  /** What was lost is still looked for. */
  readonly isRecovering?: () => boolean;
}

export function groupOf(
  table: WatchTable,
  { read, settle, isRecovering = () => false }: GroupOptions,
): Group {
  return {
    get queuedBytes() {
      return table.backend.queuedBytes;
    },
    get isWalking() {
      return table.needsWalk;
    },
    get walksOn() {
      return table.walksOn;
    },
    walk: () => table.walk(directoriesPerSlice),
    get isUnsettled() {
      return table.isUnsettled || isRecovering();
    },
    read,
    settle: (restMs) => {
      if (pollOne(table.backend.fd, POLLIN, restMs) === 0) settle();
    },
  };
}

/** Each takes microseconds; only somebody who never pauses for one of them makes us try again. */
const triesMax = 10_000;

/** So long a group that has to settle may rest before; after that, any moment without a record will do: milliseconds. */
const patienceMs = 200;

/**
 * Reads `from`, and tells what it says, up to a moment from which on `to` can be told; until then
 * what `to` says is only followed.
 *
 * The moment is one in which `from` was empty, and `to` is empty after that: what happened before has
 * been read from both, and what happens now will be in both.
 *
 * @returns false if there was no such moment: then some records may be told twice
 */
export function handOver(from: Group, to: Group): boolean {
  const impatientFrom = performance.now() + patienceMs;
  for (let tries = 0; tries < triesMax; tries++) {
    for (const group of [from, to]) findAll(group, [to, from]);
    for (const group of [from, to])
      if (group.isUnsettled) group.settle(performance.now() < impatientFrom ? renameWaitMs : 0);
    if (isSettled(from) && isSettled(to) && to.queuedBytes === 0 && from.read() === 0) return true;
  }
  return false;
}

function isSettled({ isWalking, isUnsettled }: Group): boolean {
  return !isWalking && !isUnsettled;
}

/** What is lost, or expected where nobody can look, is not waited for: `settle` tells what becomes of it. */
function findAll(group: Group, groups: readonly Group[]): void {
  do {
    if (group.isWalking) group.walk();
    for (const one of groups) readAll(one);
  } while (group.walksOn);
}

function readAll(group: Group): void {
  while (group.read() > 0);
}
