/** Triggers that wait for time to pass: for quiet, for the next start that is allowed, for company. */
import { latin1 } from "../../ffi/bytes.ts";
import { Job, keysOf } from "./job.ts";
import { Timetable } from "./timetable.ts";

export interface GatheringOptions {
  /** A job is complete. */
  readonly onJob: (job: Job) => void;
  /** So many triggers wait no more, as later ones stand for them. */
  readonly onLetGo: (count: number) => void;
}

/**
 * For one rule, step by step: `settle` for each path, then `throttle` for each key of its order, then
 * `batch` for the rule. Each step holds jobs that are not complete.
 */
export class Gathering {
  readonly #options: GatheringOptions;
  /** By path: those that had an event lately. */
  readonly #settling = new Timetable<Job>((path, job) => {
    this.#restless.take(path);
    this.#settled(job);
  });
  /** Those of them that must not wait for ever, whatever happens to them. */
  readonly #restless = new Timetable<true>((path) => this.#settled(this.#settling.take(path)!));
  /** By key: it has run lately. The job, if something has come since. */
  readonly #throttled = new Timetable<Job | null>((key, job) => this.#mayStartAgain(key, job));
  #batch: Job | null = null;
  #batchTimer: Timer | undefined;

  constructor(options: GatheringOptions) {
    this.#options = options;
  }

  /** Nothing is held, and nothing is remembered. */
  get isIdle(): boolean {
    return this.#settling.size === 0 && this.#throttled.size === 0 && this.#batch === null;
  }

  add(job: Job): void {
    const { settleMs, settleMaxMs } = job.policy;
    if (settleMs === 0) return this.#settled(job);
    const path = latin1(job.trigger.path);
    const settling = this.#together(this.#settling.get(path) ?? null, job, (older) =>
      this.#settled(older),
    );
    this.#settling.set(path, settling, settleMs);
    if (settleMaxMs > 0 && this.#restless.get(path) === undefined)
      this.#restless.set(path, true, settleMaxMs);
  }

  /** Nothing waits any longer: what is held becomes jobs, early. */
  flush(): void {
    this.#restless.takeAll();
    for (const job of this.#settling.takeAll()) this.#settled(job);
    for (const job of this.#throttled.takeAll()) if (job !== null) this.#batched(job);
    this.#closeBatch();
  }

  /** @returns the jobs that will not be */
  clear(): Job[] {
    this.#restless.takeAll();
    const held = [...this.#settling.takeAll(), ...this.#throttled.takeAll(), this.#batch];
    this.#batch = null;
    clearTimeout(this.#batchTimer);
    return held.filter((job) => job !== null);
  }

  #settled(job: Job): void {
    const { throttleMs, order } = job.policy;
    if (throttleMs === 0) return this.#batched(job);
    const key = keysOf(job.trigger, order)[0] ?? "";
    const held = this.#throttled.get(key);
    if (held === undefined) {
      this.#throttled.set(key, null, throttleMs);
      this.#batched(job);
    } else {
      const waiting = this.#together(held, job, (older) => this.#batched(older));
      this.#throttled.replace(key, waiting);
    }
  }

  #mayStartAgain(key: string, job: Job | null): void {
    if (job === null) return;
    this.#throttled.set(key, null, job.policy.throttleMs);
    this.#batched(job);
  }

  #batched(job: Job): void {
    const { batch } = job.policy;
    if (batch === null) return this.#options.onJob(job);
    this.#batch = this.#together(this.#batch, job, (full) => {
      clearTimeout(this.#batchTimer);
      this.#batchTimer = undefined;
      this.#options.onJob(full);
    });
    this.#batchTimer ??= setTimeout(() => this.#closeBatch(), batch.waitMs);
    if (this.#batch.size >= batch.max) this.#closeBatch();
  }

  #closeBatch(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    const job = this.#batch;
    this.#batch = null;
    if (job !== null) this.#options.onJob(job);
  }

  /** @param onApart told of the older one if they can't be one: it is full, or from before a reload */
  #together(older: Job | null, job: Job, onApart: (older: Job) => void): Job {
    if (older === null) return job;
    if (older.rule !== job.rule || !older.hasRoomFor(job)) {
      onApart(older);
      return job;
    }
    const letGo = older.absorb(job);
    if (letGo > 0) this.#options.onLetGo(letGo);
    return older;
  }
}
