/** What waits and runs of one rule: its triggers, their order, and what happens while it is busy. */
import type { Log } from "../log.ts";
import { defaultPolicy, type Policy } from "../rule/policy.ts";
import type { Rule } from "../rule/rule.ts";
import type { BusyKeys } from "./busy.ts";
import { Gathering } from "./gathering.ts";
import { Job, kept, policyOf } from "./job.ts";
import { Lanes } from "./lanes.ts";
import { Losses } from "./losses.ts";
import { firstTriggers } from "../reader/trigger.ts";
import { TriggerQueue } from "./queue.ts";
import { RuleStats } from "./rule-stats.ts";
import { type RuleRunsStatus, ruleRunsStatus } from "./runner-status.ts";
import type { Run } from "./run.ts";
import type { LetGo } from "./tickets.ts";

/** Jobs taken out of the queue that wait for others of their path: the rest stays as bytes. */
const parkedMax = 1024;

/** The same for all rules: there are rules by the thousand. */
export interface RuleRunsOptions {
  readonly log: Log;
  readonly busy: BusyKeys;
  /** So many triggers wait no more. */
  readonly onLeft: (count: number) => void;
  /** It needs no run: what it is for has been seen to. */
  readonly onSettled: (job: Job) => void;
  /** There may be something to start. */
  readonly onWork: (runs: RuleRuns) => void;
}

export class RuleRuns {
  readonly name: string;
  readonly stats = new RuleStats();
  /** Started and not over, by job. */
  readonly runs = new Map<Job, Run>();
  readonly #options: RuleRunsOptions;
  #losses: Losses | null = null;
  /** Triggers of which nothing is known but their bytes. */
  readonly #queue = new TriggerQueue();
  /** Null: nothing of the rule has had to wait for time or for company. */
  #gathering: Gathering | null = null;
  readonly #lanes = new Lanes();
  /** Nothing is before them: they wait for a place only. In order; a set, as some are taken out. */
  readonly #ready = new Set<Job>();
  /** In lanes behind others. */
  readonly #parked = new Set<Job>();
  /** They failed, and wait to be tried again; their lanes are taken. */
  readonly #retried = new Set<Job>();
  /** Commands at once; null: as many as `Places` says. */
  maxRunning: number | null = null;
  #policy = defaultPolicy;
  /** In jobs that have not been started. */
  #held = 0;

  constructor(name: string, options: RuleRunsOptions) {
    this.name = name;
    this.#options = options;
  }

  /** Failed, and to be tried again. */
  get retried(): Job[] {
    return [...this.#retried];
  }

  /** More is to be held back than dropped, and there is no room. */
  get isFull(): boolean {
    const { maxQueued, whenFull } = this.#policy;
    return whenFull === "block" && this.waiting >= maxQueued;
  }

  /** An eighth of the room is free: not to stop again at once. */
  get hasRoomAgain(): boolean {
    return this.waiting <= (this.#policy.maxQueued * 7) / 8;
  }

  /** Triggers whose command has not been started. */
  get waiting(): number {
    return this.#queue.length + this.#held;
  }

  /** @param suspended paths */
  status(suspended: number): RuleRunsStatus {
    const due = [...this.#ready].filter(({ attempts }) => attempts > 0).length;
    const { size: running } = this.runs;
    const retrying = this.#retried.size + due;
    return ruleRunsStatus(this.stats, { running, queued: this.waiting, retrying, suspended });
  }

  get isIdle(): boolean {
    const gathersNothing = this.#gathering?.isIdle ?? true;
    return this.waiting === 0 && this.runs.size + this.#retried.size === 0 && gathersNothing;
  }

  /** @param buffer of a TriggerWriter with `count` triggers, all of this rule; it is ours from now on */
  push(rules: readonly Rule[], rule: Rule, buffer: ArrayBuffer, count: number): void {
    const policy = policyOf(rule);
    this.#policy = policy;
    const excess = this.waiting + count - policy.maxQueued;
    this.stats.events += count;
    if (excess > 0 && policy.whenFull === "drop_new") {
      this.#pushFirst(rules, buffer, count - Math.min(excess, count));
      this.#dropped(Math.min(excess, count), policy);
    } else {
      this.#queue.push(rules, buffer, count);
      if (excess > 0 && policy.whenFull === "drop_oldest")
        this.#dropped(this.#takeOldest(excess), policy);
    }
    if (isGathered(policy)) this.#gather();
    if (this.hasWork) this.#options.onWork(this);
  }

  /** Whether `next` may find something. */
  get hasWork(): boolean {
    return this.#ready.size > 0 || (this.#queue.length > 0 && this.#parked.size < parkedMax);
  }

  /** The next job that nothing is before, or null. It is waiting no more. */
  next(): Job | null {
    const job = this.#nextReady() ?? this.#nextQueued();
    if (job?.attempts === 0) this.#left(job.size);
    return job;
  }

  #nextReady(): Job | null {
    if (this.#ready.size === 0) return null;
    const [job] = this.#ready;
    this.#ready.delete(job!);
    return job!;
  }

  #nextQueued(): Job | null {
    while (this.hasWork) {
      const job = this.#take();
      if (job === null || this.#admit(job)) return job;
    }
    return null;
  }

  /** It is done with, one way or another: others of its paths may start. */
  finished(job: Job): void {
    this.runs.delete(job);
    this.#retried.delete(job);
    this.#free(job);
    if (this.hasWork) this.#options.onWork(this);
  }

  /** Its run is over, and there will be another. */
  waitsForRetry(job: Job): void {
    this.runs.delete(job);
    job.keep();
    this.#retried.add(job);
  }

  retry(job: Job): void {
    this.#retried.delete(job);
    this.#ready.add(job);
    this.#options.onWork(this);
  }

  /** Nothing waits for time to pass any longer. */
  flush(): void {
    this.#gathering?.flush();
  }

  /** Let go what waits, retries included. @param into where it is counted */
  abandon(into: LetGo): void {
    const waiting = this.waiting;
    const entered = [...this.#ready, ...this.#parked, ...this.#retried];
    for (const job of entered) this.#lanes.leave(job);
    for (const { size, tickets } of [...entered, ...(this.#gathering?.clear() ?? [])])
      into.add(size, Math.min(size, tickets.length));
    this.#queue.clear(into);
    this.#ready.clear();
    this.#parked.clear();
    this.#retried.clear();
    this.#held = 0;
    this.#options.onLeft(waiting);
  }

  #take(): Job | null {
    const taken = this.#queue.take();
    if (taken === null) return null;
    const { rules, trigger } = taken;
    const job = new Job(rules[trigger.rule]!, trigger);
    this.#held += job.size;
    return job;
  }

  /** What waits for time or for company does so as soon as it has come. */
  #gather(): void {
    const gathering = (this.#gathering ??= new Gathering({
      onJob: (job) => this.#enter(job),
      onLetGo: (count) => this.#left(count),
    }));
    for (let job = this.#takeKept(); job !== null; job = this.#takeKept()) gathering.add(job);
  }

  #takeKept(): Job | null {
    const taken = this.#queue.take();
    if (taken === null) return null;
    this.#held++;
    return new Job(taken.rules[taken.trigger.rule]!, kept(taken.trigger));
  }

  /** A job from the queue that needs no gathering. @returns whether nothing is before it */
  #admit(job: Job): boolean {
    if (job.policy.whenBusy === "skip" && this.#passesOver(job)) return false;
    if (this.#lanes.enter(job)) return true;
    job.keep();
    this.#parked.add(job);
    return false;
  }

  /** A job that was gathered. */
  #enter(job: Job): void {
    if (this.#isSettledByOthers(job)) return;
    if (this.#lanes.enter(job)) {
      this.#ready.add(job);
      this.#options.onWork(this);
    } else {
      this.#parked.add(job);
    }
  }

  #isSettledByOthers(job: Job): boolean {
    const { whenBusy } = job.policy;
    if (whenBusy === "queue") return false;
    if (whenBusy === "skip") return this.#passesOver(job);
    const waiting = this.#waitingLike(job);
    if (waiting !== null) {
      this.#left(waiting.absorb(job));
      return true;
    }
    const running = this.#runningLike(job);
    if (running === null) return false;
    if (whenBusy === "restart") running.stop("restart");
    if (whenBusy !== "signal") return false;
    running.signal(job.policy.busySignal);
    this.#settle(job);
    return true;
  }

  /** Of the same rule, order and paths, not started, and with room. */
  #waitingLike(job: Job): Job | null {
    const [key] = job.keys;
    const last = key === undefined ? null : this.#lanes.last(key);
    if (last === null || last.rule !== job.rule || !last.hasRoomFor(job)) return null;
    const waits = this.#ready.has(last) || this.#parked.has(last);
    const isLike =
      last.keys.length === job.keys.length && job.keys.every((one, at) => one === last.keys[at]);
    return waits && isLike ? last : null;
  }

  #runningLike(job: Job): Run | null {
    for (const key of job.keys) {
      const first = this.#lanes.first(key);
      const run = first === null ? undefined : this.runs.get(first);
      if (run !== undefined) return run;
    }
    return null;
  }

  #passesOver(job: Job): boolean {
    const key = job.keys[0] ?? "";
    if (!this.#options.busy.passesOver(this.name, key, job.trigger.seq)) return false;
    this.#settle(job);
    return true;
  }

  /** It will not be run, and need not be. */
  #settle(job: Job): void {
    this.stats.skipped += job.size;
    this.#left(job.size);
    this.#options.onSettled(job);
  }

  #free(job: Job): void {
    for (const free of this.#lanes.leave(job)) {
      if (!this.#parked.delete(free)) continue;
      this.#ready.add(free);
    }
  }

  #pushFirst(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    if (count > 0) this.#queue.push(rules, firstTriggers(buffer, count), count);
  }

  #dropped(count: number, { maxQueued }: Policy): void {
    this.stats.dropped += count;
    this.#losses ??= new Losses(this.name, this.#options.log);
    this.#losses.add(count, maxQueued);
    this.#options.onLeft(count);
  }

  /** Jobs first, as they are older than what is in the queue. @returns how many were there */
  #takeOldest(count: number): number {
    let taken = 0;
    for (const job of [...this.#ready, ...this.#parked]) {
      if (taken >= count) return taken;
      if (job.attempts > 0) continue;
      this.#ready.delete(job);
      this.#parked.delete(job);
      this.#free(job);
      this.#held -= job.size;
      taken += job.size;
    }
    while (taken < count && this.#queue.take() !== null) taken++;
    return taken;
  }

  /** Triggers that are in no job any more, or in one that is started. */
  #left(count: number): void {
    if (count === 0) return;
    this.#held -= count;
    this.#options.onLeft(count);
  }
}

/** Whether a trigger has to be looked at when it comes, and not only when there is a place for it. */
function isGathered({ settleMs, throttleMs, batch, whenBusy }: Policy): boolean {
  const waits = settleMs > 0 || throttleMs > 0 || batch !== null;
  return waits || (whenBusy !== "queue" && whenBusy !== "skip");
}
