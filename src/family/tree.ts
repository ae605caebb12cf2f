/** Which command of ours a process is, or descends from: made of the forks and exits that the kernel tells. */
import { unknownFamily } from "./family.ts";

/** A process that has ended: what it did may still wait in a queue. */
interface Gone {
  /** Milliseconds, of any clock that never goes back. */
  readonly at: number;
  readonly round: number;
}

/** A record may be held back for some time after it was read. */
const keptMs = 10_000;
/** Of processes that have ended: some 20 MiB. */
const goneMax = 100_000;

export interface FamilyTreeOptions {
  /** Of processes that have ended. */
  readonly max?: number;
  /** It is asked of those alone that are alive: a number that is used again is the latest one's. */
  readonly isOfLiving?: boolean;
}

export class FamilyTree {
  readonly #ownPid: number;
  readonly #goneMax: number;
  readonly #isOfLiving: boolean;
  /** By pid: the command's. */
  readonly #families = new Map<number, number>();
  /** Those of them that have ended, the oldest first. */
  readonly #gone = new Map<number, Gone>();
  /** Counts the moments in which nothing waited in the queues. */
  #round = 0;

  constructor(ownPid: number, { max = goneMax, isOfLiving = false }: FamilyTreeOptions = {}) {
    this.#ownPid = ownPid;
    this.#goneMax = max;
    this.#isOfLiving = isOfLiving;
  }

  /** The command's pid; `unknownFamily` of a number that was used again too soon; null: it is not ours. */
  of(pid: number): number | null {
    return this.#families.get(pid) ?? null;
  }

  get isEmpty(): boolean {
    return this.#families.size === 0;
  }

  /** Processes of ours that run, the commands included. */
  get living(): number {
    return this.#families.size - this.#gone.size;
  }

  /** Children of our own are commands. */
  forked(parent: number, child: number): void {
    const family = parent === this.#ownPid ? child : this.#families.get(parent);
    const before = this.#families.get(child);
    const isLatest = this.#isOfLiving || this.#gone.get(child)?.round !== this.#round;
    const isUsedTooSoon = before !== undefined && !isLatest;
    this.#gone.delete(child);
    if (isUsedTooSoon && family !== before) this.#families.set(child, unknownFamily);
    else if (family === undefined) this.#families.delete(child);
    else this.#families.set(child, family);
  }

  /** That child of ours is no command. @param pid 0: there is none */
  disown(pid: number): void {
    this.#forget(pid);
  }

  /** A thread that is not the first one makes execve(2): it gets the number of the first, which has ended. */
  executed(pid: number): void {
    this.#gone.delete(pid);
  }

  ended(pid: number, now: number): void {
    if (!this.#families.has(pid) || this.#gone.has(pid)) return;
    this.#gone.set(pid, { at: now, round: this.#round });
    if (this.#gone.size > this.#goneMax) this.#forget(this.#gone.keys().next().value!);
  }

  /** After what is known by now, all queues were empty: nothing waits of those that had ended. */
  passed(now: number): void {
    this.#round++;
    for (const [pid, { at }] of this.#gone) {
      if (at > now - keptMs) return;
      this.#forget(pid);
    }
  }

  /**
   * Forks and exits are lost: this is what runs now, by pid its parent.
   *
   * What has lost its parent meanwhile cannot be known again.
   */
  learn(parents: ReadonlyMap<number, number>, now: number): void {
    for (const pid of this.#families.keys()) if (!parents.has(pid)) this.ended(pid, now);
    for (const pid of parents.keys()) this.#learnOne(pid, parents);
  }

  #learnOne(pid: number, parents: ReadonlyMap<number, number>): number | null {
    const known = this.#gone.has(pid) ? undefined : this.#families.get(pid);
    if (known !== undefined) return known;
    const parent = parents.get(pid);
    if (parent === undefined || parent === 0 || pid === this.#ownPid) return null;
    const family = parent === this.#ownPid ? pid : this.#learnOne(parent, parents);
    if (family === null) return null;
    this.#gone.delete(pid);
    this.#families.set(pid, family);
    return family;
  }

  #forget(pid: number): void {
    this.#gone.delete(pid);
    this.#families.delete(pid);
  }
}
