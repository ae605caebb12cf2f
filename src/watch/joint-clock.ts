/** One count of what has been read, for several queues: how far each was when something was looked at. */

/** How far a queue is, as `Backend` has it. */
export interface Queue {
  readonly consumed: number;
  readonly queuedBytes: number;
  readonly position: number;
}

/** The ends of the queues at one moment. */
interface Moment {
  readonly at: number;
  /** By queue; one that was opened later has nothing from before. */
  readonly ends: readonly number[];
}

/**
 * Bytes of different queues cannot be added up: a thousand new records of one would stand for a record of
 * the other that is not read yet. So moments are counted. One has passed when every queue has been read to
 * where it ended then, and a record is of the first moment whose end is behind it.
 *
 * It starts where the count of the first queue, alone until then, ends.
 */
export class JointClock {
  readonly #queues: readonly Queue[];
  readonly #start: number;
  #moments: Moment[];

  /** @param queues may grow */
  constructor(queues: readonly Queue[]) {
    this.#queues = queues;
    const [first] = queues;
    this.#start = first!.consumed + first!.queuedBytes;
    this.#moments = [{ at: this.#start, ends: [this.#start] }];
  }

  /** The last moment that has passed; for what is read since then a new one is made. */
  get consumed(): number {
    const first = this.#queues[0]!;
    if (first.consumed < this.#start) return first.consumed;
    const passed = this.#moments.findLastIndex((moment) => this.#hasPassed(moment));
    const last = this.#moments.length - 1;
    if (passed < last || this.#isNow(this.#moments[last]!)) return this.#moments[passed]!.at;
    return this.#add(this.#queues.map(({ consumed }) => consumed));
  }

  /** The moment that is now: it passes when all has been read that is queued now. */
  get end(): number {
    const queued = this.#queues.map(({ consumed, queuedBytes }) => consumed + queuedBytes);
    const last = this.#moments.at(-1)!;
    return queued.every((end, at) => end === endOf(last, at)) ? last.at : this.#add(queued);
  }

  /** @param at the queue whose record is in hand */
  positionIn(at: number): number {
    const queue = this.#queues[at]!;
    const { position } = queue;
    if (at === 0 && position <= this.#start) return position;
    const moment = this.#moments.find((one) => position <= endOf(one, at));
    const count = moment?.at ?? this.#moments.at(-1)!.at + 1;
    return position < queue.consumed ? count - 0.5 : count; // more of this read is to come
  }

  /** Between two reads: no record is in hand, and what has passed is of no use any more. */
  forget(): void {
    const passed = this.#moments.findLastIndex((moment) => this.#hasPassed(moment));
    if (passed > 0) this.#moments = this.#moments.slice(passed);
  }

  #hasPassed(moment: Moment): boolean {
    return this.#queues.every(({ consumed }, at) => consumed >= endOf(moment, at));
  }

  #isNow(moment: Moment): boolean {
    return this.#queues.every(({ consumed }, at) => consumed === endOf(moment, at));
  }

  #add(ends: readonly number[]): number {
    const at = this.#moments.at(-1)!.at + 1;
    this.#moments.push({ at, ends });
    return at;
  }
}

function endOf({ ends }: Moment, at: number): number {
  return ends[at] ?? 0;
}
