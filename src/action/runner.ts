/** Runs the commands of triggers: in the order of each rule, and in as many places as there are. */
import { nowMicroseconds } from "../../ffi/clock.ts";
import type { ActionError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { CommandFamilies } from "./family-watch.ts";
import { LoopWatch } from "./loop-watch.ts";
import {
  bufferOf,
  onlyRuleIn,
  type RuleTriggers,
  type Trigger,
  triggersByRule,
} from "../reader/trigger.ts";
import type { Rule } from "../rule/rule.ts";
import type { Command } from "../rule/template.ts";
import { BusyKeys, type ReadUp } from "./busy.ts";
import type { Ending } from "./ending.ts";
import type { Launcher } from "./launcher.ts";
import { policyOf, type Job } from "./job.ts";
import { Places } from "./places.ts";
import { Outcomes } from "./outcomes.ts";
import { RuleRuns, type RuleRunsOptions } from "./rule-runs.ts";
import type { Run } from "./run.ts";
import type { RunnerStatus } from "./runner-status.ts";
import { type Occasion, Starter } from "./starter.ts";
import { areDropped, LetGo, letGoIn, type Tickets } from "./tickets.ts";
import { Stop, type StopOptions, type StopReport } from "./stop.ts";

export interface RunnerOptions {
  readonly maxRunning: number;
  readonly log: Log;
  readonly launcher: Launcher;
  /** Commands are only logged. */
  readonly dryRun?: boolean;
  /** For rules that do one thing at a time. */
  readonly readUp: ReadUp;
  /** Has the kernel tell of the processes of commands; absent: loops are not looked for. */
  readonly families?: CommandFamilies;
  /** So many triggers have left the queue since the last call: the reader may hand over as many. */
  readonly onStarted: (count: number) => void;
  /** What becomes of triggers that are in the journal; null: no rule is durable. */
  readonly tickets?: () => Tickets | null;
  /** A queue whose rule wants nothing dropped is full, or none is any more. */
  readonly onFull?: (isFull: boolean) => void;
}

/** A start takes 0.2 ms: signals and the log get a turn after 32, even if none of them succeeds. */
const startsPerTurn = 32;

export class Runner {
  readonly #options: RunnerOptions;
  readonly #rules = new Map<string, RuleRuns>();
  /** Rules that may have something to start, those first that have not had a turn for longest. */
  readonly #turns = new Set<RuleRuns>();
  readonly #full = new Set<RuleRuns>();
  readonly #places: Places;
  readonly #busy: BusyKeys;
  readonly #starter: Starter;
  readonly #outcomes: Outcomes;
  readonly #loops: LoopWatch | null;
  readonly #ruleRunsOptions: RuleRunsOptions;
  /** What is to be started is looked for at the end of what is being done, or soon. */
  #isActing = false;
  #startsLater = false;
  #waiting = 0;
  /** Triggers that left the queue and of which nobody was told yet. */
  #left = 0;
  #stop: Stop | null = null;
  /** Asked for before the stop began: what is queued was still being read. */
  #hurries = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    const { log, launcher } = options;
    this.#places = new Places(options.maxRunning, log);
    this.#busy = new BusyKeys(options.readUp, log);
    this.#starter = new Starter({ log, launcher });
    this.#outcomes = this.#newOutcomes();
    this.#loops = this.#newLoopWatch();
    this.#ruleRunsOptions = {
      log,
      busy: this.#busy,
      onLeft: (count) => void (this.#left += count),
      onSettled: (job) => this.#outcomes.settled(job),
      onWork: (one) => {
        this.#turns.add(one);
        if (!this.#isActing) this.#startSoon();
      },
    };
  }

  /**
   * From now on, for these rules; what runs already runs on.
   *
   * @param maxRunning commands at once
   */
  allow(maxRunning: number, rules: readonly Rule[]): void {
    this.#act(() => {
      this.#places.allow(maxRunning, rules);
      const rulesByName = new Map(rules.map((rule) => [rule.name, rule]));
      for (const [name, runs] of this.#rules) {
        const rule = rulesByName.get(name);
        runs.flush(); // what waits for time to pass does so by the keys of before
        if (rule !== undefined) runs.maxRunning = policyOf(rule).maxRunning;
        else if (runs.isIdle) this.#rules.delete(name);
        if (runs.hasWork) this.#turns.add(runs);
      }
    });
  }

  /** Commands that have been started and have not ended. */
  get running(): number {
    return this.#places.taken;
  }

  /** Triggers whose command has not been started. */
  get waiting(): number {
    return this.#waiting;
  }

  status(): RunnerStatus {
    const { taken, total } = this.#places;
    const suspended = this.#loops?.suspended;
    const rules = new Map(
      [...this.#rules].map(([name, runs]) => [name, runs.status(suspended?.get(name) ?? 0)]),
    );
    return { running: taken, maxRunning: total, queued: this.#waiting, rules };
  }

  /**
   * Run the commands of these triggers when their turn comes.
   *
   * @param rules what the triggers' indices mean
   * @param buffer of a TriggerWriter, which holds `count` triggers; it is the runner's from now on
   */
  enqueue(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    if (this.#stop !== null && !this.#stop.starts) {
      this.#stop.abandon(letGoIn(buffer, count));
      this.#options.onStarted(count);
      return;
    }
    this.#act(() => {
      this.#waiting += count;
      const only = onlyRuleIn(buffer);
      if (only !== null) this.#push(rules, { rule: only, buffer, count });
      else for (const part of triggersByRule(buffer)) this.#push(rules, part);
      if (this.#full.size > 0) this.#options.onFull?.(true);
    });
  }

  #push(rules: readonly Rule[], { rule: index, buffer, count }: RuleTriggers): void {
    const rule = rules[index];
    if (rule === undefined || rule.command === null) {
      this.#left += count; // the reader sends no such trigger
      return;
    }
    const part = { rule: index, buffer, count };
    const admitted = this.#loops?.admit(rule, part) ?? part;
    this.#left += count - admitted.count;
    if (admitted.count === 0) return;
    const runs = this.#runsOf(rule);
    runs.push(rules, rule, admitted.buffer, admitted.count);
    if (this.#stop !== null) runs.flush();
    if (runs.isFull) this.#full.add(runs);
  }

  /**
   * Come to an end. What waits is still started until `graceMs` is over; then the rest is abandoned
   * and what runs is terminated. Call it when no more triggers come.
   *
   * @returns when every command has ended (its grandchildren are not waited for)
   */
  stop(options: StopOptions): Promise<StopReport> {
    if (this.#stop === null) {
      const { log } = this.#options;
      this.#stop = new Stop(this.#stoppable(), options, log);
      this.#loops?.flush();
      this.#act(() => this.#waitNoLonger());
    }
    for (; this.#hurries > 0; this.#hurries--) this.#stop.hurry();
    return this.#stop.report;
  }

  /** The next step of a stop now, or as soon as it begins. First SIGTERM for what runs, then SIGKILL. */
  hurry(): void {
    if (this.#stop === null) this.#hurries++;
    else this.#stop.hurry();
  }

  #newOutcomes(): Outcomes {
    return new Outcomes({
      log: this.#options.log,
      tickets: () => this.#tickets,
      isEnding: () => this.#stop !== null,
      isOver: () => this.#stop !== null && !this.#stop.starts,
      onRetry: (runs, job) => (this.#isActing ? runs.retry(job) : this.#act(() => runs.retry(job))),
      runOnFailure: (runs, job, error) => this.#runOnFailure(runs, job, error),
    });
  }

  #newLoopWatch(): LoopWatch | null {
    const { families, log, readUp, onStarted } = this.#options;
    if (families === undefined) return null;
    const release = (rule: Rule, trigger: Trigger): void => {
      onStarted(-1); // it had left the queue, and is in it again
      this.enqueue([rule], bufferOf(trigger), 1);
    };
    const onSuperseded = ({ ticket }: Trigger): void => {
      if (ticket !== 0) this.#tickets?.succeeded([ticket]);
    };
    const onOwn = (rule: Rule, trigger: Trigger): void => {
      this.#runsOf(rule).stats.isOwn();
      onSuperseded(trigger);
    };
    return new LoopWatch({ families, log, readUp, release, onOwn, onSuperseded });
  }

  /** Start a command of a job, which is the rule's own or its `on_failure`. */
  #startCommand(command: Command, occasion: Occasion): Run | ActionError {
    const loops = this.#loops;
    if (loops === null) return this.#starter.start(command, occasion);
    const { job } = occasion;
    const begin = loops.begin(job.triggers);
    const run = this.#starter.start(command, occasion);
    if (run instanceof Error) loops.failed();
    else run.past = loops.began(job.rule, run.pid, job.triggers, begin);
    return run;
  }

  #runsOf(rule: Rule): RuleRuns {
    const known = this.#rules.get(rule.name);
    if (known !== undefined) return known;
    const runs = new RuleRuns(rule.name, this.#ruleRunsOptions);
    runs.maxRunning = policyOf(rule).maxRunning;
    this.#rules.set(rule.name, runs);
    return runs;
  }

  /** Do it, then start what may be started by then. */
  #act(action: () => void): void {
    this.#isActing = true;
    try {
      action();
      if (!this.#startsLater) this.#startMore();
    } finally {
      this.#isActing = false;
    }
    this.#sayLeft();
    if (this.#places.taken === 0 && this.#waiting === 0 && this.#outcomes.waiting === 0)
      this.#stop?.finish();
  }

  #startSoon(): void {
    if (this.#startsLater) return;
    this.#startsLater = true;
    setImmediate(() => {
      this.#startsLater = false;
      this.#act(() => {});
    });
  }

  #startMore(): void {
    let starts = 0;
    while (this.#places.areFree && starts < startsPerTurn) {
      const [runs] = this.#turns;
      if (runs === undefined) return;
      this.#turns.delete(runs);
      if (!this.#places.hasRoomFor(runs)) continue; // an end of its own brings it back
      const job = runs.next();
      if (job === null) continue;
      starts++;
      this.#start(runs, job);
      if (runs.hasWork) this.#turns.add(runs);
    }
    if (this.#turns.size === 0) return;
    if (starts === startsPerTurn) this.#startSoon();
    else this.#places.watch(() => this.#waiting);
  }

  #start(runs: RuleRuns, job: Job): void {
    if (this.#options.dryRun === true) {
      this.#starter.sayDryRun(job);
      return runs.finished(job);
    }
    if (areDropped(job.tickets, this.#tickets)) return runs.finished(job);
    job.attempts++;
    this.#tickets?.started(job.tickets);
    if (job.attempts === 1) runs.stats.waited.add((nowMicroseconds() - job.trigger.time) / 1000);
    const onOver = (run: Run, ending: Ending) => {
      this.#loops?.ended(run);
      this.#act(() => this.#over(runs, job, run, ending));
    };
    const run = this.#startCommand(job.rule.command!, { job, onOver });
    if (run instanceof Error) return this.#outcomes.notStarted(runs, job, run);
    runs.stats.runs++;
    this.#places.take(runs);
    runs.runs.set(job, run);
    if (job.policy.whenBusy === "skip") this.#busy.begin(runs.name, job.keys[0] ?? "");
  }

  get #tickets(): Tickets | null {
    return this.#options.tickets?.() ?? null;
  }

  #over(runs: RuleRuns, job: Job, run: Run, ending: Ending): void {
    this.#places.leave(runs);
    runs.stats.ran.add(performance.now() - run.startedAt);
    if (job.policy.whenBusy === "skip") this.#busy.end(runs.name, job.keys[0] ?? "");
    const isUnreported = this.#outcomes.over(runs, job, run, ending);
    this.#startMore(); // before the log: the next command need not wait for it
    if (isUnreported) this.#outcomes.report(runs, run, ending);
  }

  /** `on_failure` has the place and the lane of what failed. */
  #runOnFailure(runs: RuleRuns, job: Job, error: string): void {
    const onOver = (run: Run, ending: Ending) => {
      this.#loops?.ended(run);
      this.#act(() => {
        this.#places.leave(runs);
        runs.finished(job);
        this.#outcomes.onFailureOver(run, ending);
      });
    };
    const failure = { error, attempts: job.attempts };
    const run = this.#startCommand(job.policy.onFailure!, { job, failure, onOver });
    if (run instanceof Error) {
      this.#outcomes.onFailureNotStarted(job, run);
      return runs.finished(job);
    }
    this.#places.take(runs);
    runs.runs.set(job, run);
  }

  /** The end is near: what waits for time to pass has its turn now. */
  #waitNoLonger(): void {
    for (const runs of this.#rules.values()) {
      runs.flush();
      this.#outcomes.retryNow(runs);
    }
  }

  /** Tell how many triggers wait no more. */
  #sayLeft(): void {
    const left = this.#left;
    if (left === 0) return;
    this.#left = 0;
    this.#waiting -= left;
    this.#options.onStarted(left);
    if (this.#full.size === 0) return;
    for (const runs of this.#full) if (runs.hasRoomAgain) this.#full.delete(runs);
    if (this.#full.size === 0) this.#options.onFull?.(false);
  }

  #stoppable() {
    return {
      running: () => this.#places.taken,
      abandon: () => this.#abandon(),
      signal: (signal: number) => this.#signal(signal),
    };
  }

  #abandon(): LetGo {
    const letGo = new LetGo();
    this.#outcomes.clear();
    for (const runs of this.#rules.values()) runs.abandon(letGo);
    this.#turns.clear();
    this.#sayLeft();
    return letGo;
  }

  #signal(signal: number): number {
    for (const { runs } of this.#rules.values())
      for (const run of runs.values()) run.signal(signal);
    return this.#places.taken;
  }
}
