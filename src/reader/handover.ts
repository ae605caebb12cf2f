/** From one fanotify group to another, where the same is watched: no record is lost, and none is told twice. */

/** A group and its watches. */
export interface Group {
  /** Bytes of records that wait in the kernel's queue. */
  readonly queuedBytes: number;
  /** Read once and tell, or only follow, what it says. @returns bytes read */
  read(): number;
  readonly isWalking: boolean;
  walk(): void;
}

/** Each takes microseconds; only somebody who never pauses for one of them makes us try again. */
const triesMax = 10_000;

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
  while (from.isWalking || to.isWalking) {
    from.walk();
    to.walk();
    readAll(from);
    readAll(to);
  }
  for (let tries = 0; tries < triesMax; tries++) {
    readAll(to);
    readAll(from);
    if (to.queuedBytes > 0) continue;
    // The kernel gives a record to one group after the other: a moment ago `to` may have been the first.
    readAll(from);
    return true;
  }
  return false;
}

function readAll(group: Group): void {
  while (group.read() > 0);
}
