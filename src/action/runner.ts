/** Runs the commands of triggers: in the order of each rule, and in as many places as there are. */
import { type Log, quoted } from "../log.ts";
import { triggersByRule } from "../reader/trigger.ts";
import type { Rule } from "../rule/rule.ts";
import { BusyKeys, type ReadUp } from "./busy.ts";
import type { Ending } from "./ending.ts";
import type { Job } from "./job.ts";
import { type Spawn, Starter } from "./starter.ts";
import { Outcomes } from "./outcomes.ts";
import { Places } from "./places.ts";
import { RuleRuns } from "./rule-runs.ts";
import type { Run } from "./run.ts";
import { Stop, type StopOptions, type StopReport } from "./stop.ts";

export interface RunnerOptions {
  readonly maxRunning: number;
  readonly log: Log;
  readonly spawn: Spawn;
  /** Commands are only logged. */
  readonly dryRun?: boolean;
  /** For rules that do one thing at a time. */
  readonly readUp: ReadUp;
  /** So many triggers have left the queue since the last call: the reader may hand over as many. */
  readonly onStarted: (count: number) => void;
  /** A rule's queue is full, or is not any more: no more events may be read meanwhile. */
  readonly onFull?: (isFull: boolean) => void;
}

/** A start takes 0.2 ms: signals and the log get a turn after 32, even if none of them succeeds. */
const startsPerTurn = 32;

export class Runner {
  readonly #options: RunnerOptions;
  readonly #rules = new Map<string, RuleRuns>();
  /** Rules that may have something to start, those first that have not had a turn for longest. */
  readonly #turns = new Set<RuleRuns>();
  readonly #places: Places;
  readonly #busy: BusyKeys;
  readonly #starter: Starter;
  readonly #outcomes: Outcomes;
  #startsLater = false;
  /** Triggers that left the queue and of which nobody was told yet. */
  #left = 0;
  #waiting = 0;
  #isFull = false;
  #stop: Stop | null = null;
  /** Asked for before the stop began: what is queued was still being read. */
  #hurries = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    const { log, spawn, dryRun = false } = options;
    this.#places = new Places(options.maxRunning, log);
    this.#busy = new BusyKeys(options.readUp, log);
    this.#outcomes = new Outcomes(log);
    this.#starter = new Starter({
      log,
      spawn,
      dryRun,
      onOver: (run, job, ending) => this.#over(run, job, ending),
    });
  }

  /**
   * From now on, for these rules; what runs already runs on.
   *
   * @param maxRunning commands at once
   */
  allow(maxRunning: number, rules: readonly Rule[] = []): void {
    this.#places.allow(maxRunning, rules);
    const names = new Set(rules.map(({ name }) => name));
    for (const [name, runs] of this.#rules) {
      runs.flush(); // what waits for a time does so as the old rules had it
      if (!names.has(name) && runs.isIdle) this.#rules.delete(name);
    }
    this.#startMore();
  }

  /** Commands that have been started and have not ended. */
  get running(): number {
    return this.#places.taken;
  }

  /** Triggers whose command has not been started. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Run the commands of these triggers when their turn comes.
   *
   * @param rules what the triggers' indices mean
   * @param buffer of a TriggerWriter, which holds `count` triggers; it is the runner's from now on
   */
  enqueue(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    if (this.#stop !== null && !this.#stop.starts) {
      this.#stop.abandon(count);
      this.#options.onStarted(count);
      return;
    }
    this.#waiting += count;
    for (const part of triggersByRule(buffer, count)) {
      const rule = rules[part.rule];
      if (rule === undefined || rule.command === null) continue; // the reader sends no such trigger
      this.#runsOf(rule).push(rules, rule, part.buffer, part.count);
    }
    if (this.#stop !== null) this.#flush();
    this.#startMore();
    this.#sayFull();
  }

  /**
   * Come to an end. What waits is still started until `graceMs` is over; then the rest is abandoned
   * and what runs is terminated. Call it when no more triggers come.
   *
   * @returns when every command has ended (its grandchildren are not waited for)
   */
  stop(options: StopOptions): Promise<StopReport> {
    this.#stop ??= new Stop(
      {
        running: () => this.#places.taken,
        abandon: () => this.#abandon(),
        signal: (signal) => this.#signal(signal),
      },
      options,
      this.#options.log,
    );
    this.#flush();
    this.#startMore();
    for (; this.#hurries > 0; this.#hurries--) this.#stop.hurry();
    return this.#stop.report;
  }

  /** The next step of a stop now, or as soon as it begins. First SIGTERM for what runs, then SIGKILL. */
  hurry(): void {
    if (this.#stop === null) this.#hurries++;
    else this.#stop.hurry();
  }

  #runsOf(rule: Rule): RuleRuns {
    const known = this.#rules.get(rule.name);
    if (known !== undefined) return known;
    const runs = new RuleRuns({
      name: rule.name,
      log: this.#options.log,
      busy: this.#busy,
      onLeft: (count) => {
        this.#left += count;
        this.#waiting -= count;
      },
      onSettled: () => {},
      onWork: (one) => {
        this.#turns.add(one);
        this.#startSoon();
      },
    });
    this.#rules.set(rule.name, runs);
    return runs;
  }

  #startMore(): void {
    if (this.#startsLater) return;
    let starts = 0;
    while (this.#places.areFree && starts < startsPerTurn) {
      const [runs] = this.#turns;
      if (runs === undefined) break;
      this.#turns.delete(runs);
      if (!this.#places.hasRoomFor(runs)) continue; // an end of its own brings it back
      const job = runs.next();
      if (job === null) continue;
      this.#start(runs, job);
      starts++;
      if (runs.hasWork) this.#turns.add(runs);
    }
    this.#sayLeft();
    if (this.#turns.size > 0) this.#places.watchFull(() => this.#waiting);
    if (starts === startsPerTurn) this.#startSoon();
    this.#finishIfIdle();
  }

  #startSoon(): void {
    if (this.#startsLater || !this.#places.areFree) return;
    this.#startsLater = true;
    setImmediate(() => {
      this.#startsLater = false;
      this.#startMore();
    });
  }

  #start(runs: RuleRuns, job: Job): void {
    const [key = ""] = job.keys;
    const { whenBusy } = job.policy;
    job.attempts++;
    const run = this.#starter.start(job);
    if (run === null) return runs.finished(job); // a dry run
    runs.stats.runs++;
    if (job.attempts === 1) runs.stats.waited.add(Date.now() - job.trigger.time / 1000);
    this.#places.take(runs);
    runs.runs.set(job, run);
    if (whenBusy === "skip") this.#busy.begin(runs.name, key);
    if (run.pid === 0) this.#busy.cancel(runs.name, key);
  }

  #over(run: Run, job: Job, ending: Ending): void {
    void run;
    void job;
    void ending;
  }
}
