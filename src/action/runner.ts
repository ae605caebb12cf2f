/** Runs the commands of triggers: in order, and never more than `maxRunning` at once. */
import type { Log } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { eventEnvironment } from "../rule/event-environment.ts";
import { Counters, fillCommand, fillValue } from "../rule/template.ts";
import { BusyRules, type ReadUp } from "./busy.ts";
import { AccessDenied, Denials } from "./denials.ts";
import { logDryRun } from "./dry-run.ts";
import type { Ending } from "./ending.ts";
import { TriggerQueue, type WaitingTrigger } from "./queue.ts";
import { logEnding, logNotStarted, type Running, runningOf, signalGroup } from "./running.ts";
import type { Start } from "./spawn.ts";
import { Stop, type Stoppable, type StopOptions, type StopReport } from "./stop.ts";

export interface RunnerOptions {
  readonly maxRunning: number;
  readonly log: Log;
  /** `spawnCommand` with its other options. @throws {ActionError} */
  readonly spawn: (start: Start, onExit: (ending: Ending) => void) => number;
  /** Commands are only logged. */
  readonly dryRun?: boolean;
  /** For rules that do one thing at a time. */
  readonly readUp: ReadUp;
  /** So many triggers have left the queue since the last call: the reader may hand over as many. */
  readonly onStarted: (count: number) => void;
}

/** A start takes 0.2 ms: signals and the log get a turn after 32, even if none of them succeeds. */
const startsPerTurn = 32;

export class Runner {
  readonly #options: RunnerOptions;
  readonly #queue = new TriggerQueue();
  readonly #running = new Set<Running>();
  readonly #counters = new Counters();
  #maxRunning: number;
  readonly #busy: BusyRules;
  readonly #denials = new Denials();
  #startsLater = false;
  #stop: Stop | null = null;
  /** Asked for before the stop began: what is queued was still being read. */
  #hurries = 0;

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.#maxRunning = options.maxRunning;
    this.#busy = new BusyRules(options.readUp, options.log);
  }

  /** Commands at once from now on; those that run already run on. */
  allow(maxRunning: number): void {
    this.#maxRunning = maxRunning;
    this.#startMore();
  }

  /** Commands that have been started and have not ended. */
  get running(): number {
    return this.#running.size;
  }

  /** Triggers whose command has not been started. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Run the commands of these triggers when their turn comes.
   *
   * @param rules what the triggers' indices mean
   * @param buffer of a TriggerWriter, which holds `count` triggers; it is the runner's from now on
   */
  enqueue(rules: readonly Rule[], buffer: ArrayBuffer, count: number): void {
    if (this.#stop === null || this.#stop.starts) {
      this.#queue.push(rules, buffer, count);
      this.#startMore();
    } else {
      this.#stop.abandon(count);
      this.#options.onStarted(count);
    }
  }

  /**
   * Come to an end. What waits is still started until `graceMs` is over; then the rest is abandoned
   * and what runs is terminated. Call it when no more triggers come.
   *
   * @returns when every command has ended (its grandchildren are not waited for)
   */
  stop(options: StopOptions): Promise<StopReport> {
    this.#stop ??= new Stop(this.#stoppable(), options, this.#options.log);
    this.#finishIfIdle();
    for (; this.#hurries > 0; this.#hurries--) this.#stop.hurry();
    return this.#stop.report;
  }

  /** The next step of a stop now, or as soon as it begins. First SIGTERM for what runs, then SIGKILL. */
  hurry(): void {
    if (this.#stop === null) this.#hurries++;
    else this.#stop.hurry();
  }

  #startMore(): void {
    if (this.#startsLater) return;
    let starts = 0;
    while (this.#running.size < this.#maxRunning && starts < startsPerTurn) {
      const waiting = this.#queue.take();
      if (waiting === null) break;
      this.#start(waiting);
      starts++;
    }
    if (starts > 0) this.#options.onStarted(starts);
    if (starts === startsPerTurn) this.#startMoreLater();
    this.#finishIfIdle();
  }

  #startMoreLater(): void {
    this.#startsLater = true;
    setImmediate(() => {
      this.#startsLater = false;
      this.#startMore();
    });
  }

  #start({ rules, trigger }: WaitingTrigger): void {
    const rule = rules[trigger.rule];
    if (rule === undefined || rule.command === null) return; // the reader sends no such trigger
    const isAlone = rule.policy?.whenBusy === "skip";
    if (isAlone && this.#busy.passesOver(rule.name, trigger.seq)) return;
    const source = { rule: rule.name, counters: this.#counters };
    const argv = fillCommand(rule.command, trigger, source);
    const { runAs = null } = rule;
    if (this.#options.dryRun === true) return logDryRun(this.#options.log, rule, argv);
    const variables = eventEnvironment(trigger, source);
    const place = fillValue("watched", trigger, source);
    const running = runningOf(rule, argv);
    this.#running.add(running);
    if (isAlone) this.#busy.begin(rule.name);
    try {
      const { surroundings = null, name } = rule;
      const start = { argv, variables, runAs, place, surroundings, stdin: null, rule: name };
      running.pid = this.#options.spawn(start, (ending) => this.#ended(rule, running, ending));
    } catch (error) {
      this.#running.delete(running);
      if (isAlone) this.#busy.cancel(rule.name);
      this.#sayNotStarted(rule, running, error);
    }
  }

  #ended(rule: Rule, running: Running, ending: Ending): void {
    this.#running.delete(running);
    if (rule.policy?.whenBusy === "skip") this.#busy.end(rule.name);
    this.#startMore(); // before the log: the next command need not wait for it
    if (ending.kind === "not-started") this.#sayNotStarted(rule, running, ending.error);
    else logEnding(this.#options.log, running, ending);
  }

  #sayNotStarted(rule: Rule, running: Running, error: unknown): void {
    const { log } = this.#options;
    if (error instanceof AccessDenied) this.#denials.tell(log, rule.name, error);
    else logNotStarted(log, running, error);
  }

  #finishIfIdle(): void {
    if (this.#running.size === 0 && this.#queue.length === 0) this.#stop?.finish();
  }

  #stoppable(): Stoppable {
    return {
      running: () => this.#running.size,
      abandon: () => this.#abandon(),
      signal: (signal) => this.#signal(signal),
    };
  }

  #abandon(): number {
    const count = this.#queue.clear();
    if (count > 0) this.#options.onStarted(count);
    return count;
  }

  #signal(signal: number): number {
    for (const running of this.#running) signalGroup(running, signal);
    return this.#running.size;
  }
}
