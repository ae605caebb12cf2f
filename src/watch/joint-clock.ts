/** One count of records for several queues: how far each of them was when something was looked at. */

/** How far a queue is, as `Backend` has it. */
export interface Queue {
  readonly end: number;
  readonly position: number;
}

/** The ends of the queues at one moment. */
interface Moment {
  /** The sum of the ends. */
  readonly at: number;
  /** By queue; one that was opened later has nothing from before. */
  readonly ends: readonly number[];
}

/**
 * What different queues have delivered cannot be added up: a thousand new records of one would stand for a
 * record of the other that is not delivered yet. So the ends of all are kept for each moment that somebody
 * asks about, and a record is counted from the last moment before it:
 *
 * - In one queue each record has a higher count than the one before, as it has in the queue alone.
 * - A record from before a moment has a count up to the moment's, one from after it a higher one, whichever
 *   queue it is in: the sum of all ends has grown by at least what this queue has.
 * - A moment has passed when every queue is where it ended then.
 *
 * Counts of two queues between the same two moments say nothing of each other.
 */
export class JointClock {
  readonly #queues: readonly Queue[];
  #moments: Moment[];

  /** @param queues may grow. The first was alone until now, and its counts stay what they are. */
  constructor(queues: readonly Queue[]) {
    this.#queues = queues;
    const { position, end } = queues[0]!;
    this.#moments = [{ at: position, ends: [position] }];
    this.#at([end]);
  }

  /** The moment that is now: it passes when all has been delivered that is queued now. */
  get end(): number {
    return this.#at(this.#queues.map(({ end }) => end));
  }

  /** Between two reads: what has been delivered. */
  get position(): number {
    const positions = this.#queues.map((queue) => queue.position);
    const { passed, next } = this.#around(positions);
    return next === undefined ? this.#at(positions) : passed.at;
  }

  /** Of the record in hand. @param at its queue */
  positionIn(at: number): number {
    const { position } = this.#queues[at]!;
    const before = this.#moments.findLast((one) => endOf(one, at) < position) ?? this.#moments[0]!;
    return before.at + position - endOf(before, at);
  }

  /** What has been delivered for certain before the record in hand. @param at its queue */
  passedIn(at: number): number {
    const delivered = this.#queues.map(({ position }, i) => (i === at ? position - 1 : position));
    const { passed, next } = this.#around(delivered);
    const since = passed.at + Math.max(delivered[at]! - endOf(passed, at), 0);
    return next === undefined ? since : Math.min(since, next.at - 1);
  }

  /** Between two reads: no record is in hand, and what has passed is of no use any more. */
  forget(): void {
    const { passed } = this.#around(this.#queues.map(({ position }) => position));
    if (passed !== this.#moments[0])
      this.#moments = this.#moments.slice(this.#moments.indexOf(passed));
  }

  /** @returns the last moment that has passed, and the first that has not */
  #around(delivered: readonly number[]): { passed: Moment; next: Moment | undefined } {
    const hasPassed = (moment: Moment) => delivered.every((one, at) => one >= endOf(moment, at));
    const passed = Math.max(this.#moments.findLastIndex(hasPassed), 0);
    return { passed: this.#moments[passed]!, next: this.#moments[passed + 1] };
  }

  #at(ends: readonly number[]): number {
    const last = this.#moments.at(-1)!;
    if (ends.every((end, i) => end === endOf(last, i))) return last.at;
    const at = ends.reduce((sum, end) => sum + end, 0);
    this.#moments.push({ at, ends });
    return at;
  }
}

function endOf({ ends }: Moment, at: number): number {
  return ends[at] ?? 0;
}
