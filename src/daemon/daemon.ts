/** THE MAIN PATH of the main thread: load, watch, run commands, reload, and come to a clean end. */
import { forgetAccounts, uidOf } from "../action/account.ts";
import { Runner } from "../action/runner.ts";
import { prepareForCommands } from "../action/limits.ts";
import { OutputLog } from "../action/output-log.ts";
import { spawnCommand, type Start } from "../action/spawn.ts";
import type { Started } from "../action/started.ts";
import type { Ending } from "../action/ending.ts";
import { cgroupTroubles } from "./cgroup-troubles.ts";
import { dependedNames } from "../config/depends.ts";
import { ConfigError, type ConfigProblem, formatProblem } from "../errors.ts";
import type { Log } from "../log.ts";
import { type FromReader, type Plan, planOf, type WatchReport } from "../reader/plan.ts";
import type { Rule } from "../rule/rule.ts";
import { Durable, type JournalSource } from "./durable.ts";
import { HangWatch } from "./hang-watch.ts";
import { unknownActors } from "./unknown-actors.ts";
import { ConnectorEvents } from "./process-events.ts";
import { Progress, type ShowStatus } from "./progress.ts";
import { ReaderThread } from "./reader-thread.ts";
import { Status } from "./status.ts";
import type { Signals, StopSignal } from "./signals.ts";
import { watchReportText } from "./report.ts";

/** What a configuration file, or a command line, comes to. */
export interface Loaded {
  readonly rules: readonly Rule[];
  readonly warnings: readonly ConfigProblem[];
  /** What they came from. */
  readonly files?: readonly { readonly file: string }[];
  readonly settings?: {
    readonly maxRunning?: number;
    readonly runtimeDir?: string;
    readonly stateDir?: string;
  };
  /** Absolute paths and patterns; when one of them changes, the rules may. */
  readonly dependsOn?: readonly string[];
  /** Errors of files without which the others go on. */
  readonly leftOut?: readonly ConfigProblem[];
}

/** Commands at once, unless it is said otherwise: enough to be busy, too few to drown a server. */
export const defaultMaxRunning = 16;

export interface DaemonOptions {
  /** Called at the start and at each reload. @throws {ConfigError} */
  readonly load: () => Loaded;
  /** One path that cannot be watched ends the program: for `watch`, whose user stands beside it. */
  readonly everyPathMustWork: boolean;
  /** What the command line says; null: what the configuration says. */
  readonly maxRunning: number | null;
  /** Everything but the commands, which are only logged. */
  readonly dryRun?: boolean;
  /** Reload when a file of the configuration changes. */
  readonly watchesConfiguration?: boolean;
  readonly version: string;
  /** How facron starts itself. */
  readonly self: readonly string[];
  readonly log: Log;
  /** Absent: nobody sits at a terminal. */
  readonly showStatus?: ShowStatus;
  /** Where relative programs start; a daemon's own working directory is "/". */
  readonly cwd: string;
  readonly readerUrl: URL;
  /** Absent: no rule can be durable. */
  readonly journal?: JournalSource;
  /** The output thread's file. */
  readonly outputUrl: URL;
  readonly signals: Signals;
  /** Every watch is set. */
  readonly onReady: () => void;
}

/** How the daemon ended. */
export interface DaemonEnd {
  /** False: something failed while it ran. */
  readonly isClean: boolean;
  /** A signal that has to be raised again, so that the shell sees what ended us. */
  readonly signal: "SIGINT" | null;
}

const stderrFd = 2;

/** From SIGTERM on: commands may end by themselves for so long, and slow readers may read. */
const graceMs = 10_000;

/** So many commands leave megabytes behind; collecting them takes some 10 ms. */
const collectAfterTriggers = 4_000;

/** A file that is saved, or a link that is swapped, is done with after so long without a change. */
const configurationRestMs = 100;

/** From SIGTERM to a command until SIGKILL. */
const killAfterMs = 5_000;

/** @throws {ConfigError} if the configuration cannot be used at the start */
export function runDaemon(options: DaemonOptions): Promise<DaemonEnd> {
  const daemon = new Daemon(options);
  daemon.start();
  return daemon.end;
}

class Daemon {
  readonly #options: DaemonOptions;
  readonly #log: Log;
  readonly #end = Promise.withResolvers<DaemonEnd>();
  readonly #runner: Runner;
  readonly #durable: Durable | null;
  readonly #outputLog: OutputLog;
  #reader: ReaderThread | null = null;
  #hangWatch: HangWatch | null = null;
  #progress: Progress | null = null;
  #status: Status | null = null;
  #generation = 0;
  /** The rules of each plan that triggers may still speak of: the last one that was set, and newer ones. */
  readonly #rulesByGeneration = new Map<number, readonly Rule[]>();
  #dependsOn: readonly string[] = [];
  #restTimer: Timer | undefined;
  readonly #readUps: ((seq: number) => void)[] = [];
  #allIsRead = false;
  #startedSinceCollected = 0;
  #isReady = false;
  #isReloading = false;
  #reloadAgain = false;
  #stopSignal: StopSignal | null = null;
  #isStopping = false;
  #stoppedAt = 0;
  #commandsEnded: Promise<unknown> | null = null;

  constructor(options: DaemonOptions) {
    this.#options = options;
    this.#log = options.log;
    const { log } = options;
    this.#outputLog = new OutputLog({
      url: options.outputUrl,
      log,
      onDeath: (reason) =>
        this.#fail(`The output thread died, commands would wait for it for ever: ${reason}`),
    });
    this.#runner = new Runner({
      maxRunning: options.maxRunning ?? defaultMaxRunning,
      log,
      dryRun: options.dryRun === true,
      spawn: (start, onExit) => this.#spawn(start, onExit),
      readUp: (then) => this.#readUp(then),
      loops: {
        events: new ConnectorEvents({
          reader: { commandsAct: (...act) => this.#reader?.commandsAct(...act) },
          log,
        }),
        members: () => this.#reader?.familyMembers ?? 0,
      },
      onStarted: (count) => this.#madeRoom(count),
      onFull: (isFull) => this.#reader?.holdBack(isFull),
      tickets: () => this.#durable?.tickets ?? null,
    });
    this.#durable = options.journal === undefined ? null : this.#durableRules(options.journal);
  }

  #spawn(start: Start, onExit: (ending: Ending) => void): Started {
    const { cwd, self } = this.#options;
    return spawnCommand(start, { cwd, self, stderrFd, outputLog: this.#outputLog, onExit });
  }

  get end(): Promise<DaemonEnd> {
    return this.#end.promise;
  }

  start(): void {
    // The thread takes as long to come up as everything else here: it comes first.
    this.#reader = new ReaderThread({
      url: this.#options.readerUrl,
      onMessage: (message) => this.#take(message),
      onDeath: (reason) =>
        this.#fail(`The reader thread died, nothing is watched any more: ${reason}`),
    });
    this.#hangWatch = new HangWatch(this.#reader.lookout, this.#log);
    this.#status = this.#makeStatus(this.#reader);
    void this.#end.promise.then(() => this.#status?.close());
    this.#showProgress(this.#reader);
    const loaded = this.#options.load();
    prepareForCommands();
    this.#setPlan(loaded);
    this.#options.signals.listen({
      reload: () => this.#reload(),
      status: () => void this.#status!.say(),
      stop: (signal) => this.#stop(signal),
      hangupReloads: !this.#options.everyPathMustWork,
    });
  }

  #makeStatus(reader: ReaderThread): Status {
    const { version, cwd, everyPathMustWork } = this.#options;
    return new Status({
      ...{ version, cwd, log: this.#log },
      reader: { ask: () => reader.send({ kind: "count" }), lookout: reader.lookout },
      runner: () => this.#runner.status(),
      output: () => this.#outputLog.commands,
      journal: async () => (await this.#durable?.status()) ?? null,
      state: () => (this.#isStopping ? "ending" : this.#isReady ? "running" : "starting"),
      saysWhyNot: !everyPathMustWork, // whoever types `watch` stands beside it
    });
  }

  #durableRules(source: JournalSource): Durable {
    return new Durable({
      source,
      log: this.#log,
      run: (rules, buffer, count) => this.#runner.enqueue(rules, buffer, count),
      onMore: (count) => this.#reader!.tookRoom(count),
      onFewer: (count) => this.#madeRoom(count),
      onDeath: (reason) => this.#fail(`The journal thread died: ${reason}`),
    });
  }

  #showProgress(reader: ReaderThread): void {
    const { showStatus } = this.#options;
    if (showStatus === undefined) return;
    this.#progress = new Progress(() => reader.marks, showStatus);
    this.#progress.start();
    void this.#end.promise.then(() => this.#progress?.stop());
  }

  #take(message: FromReader): void {
    switch (message.kind) {
      case "triggers": {
        const rules = this.#rulesByGeneration.get(message.generation)!;
        if (this.#durable !== null) return this.#durable.take(rules, message.buffer, message.count);
        return this.#runner.enqueue(rules, message.buffer, message.count);
      }
      case "read-until":
        return this.#durable?.allIsReadUntil(message.microseconds);
      case "log":
        return this.#log[message.level](message.text);
      case "configuration-changed":
        return this.#reloadSoon();
      case "read":
        return this.#readUps.shift()?.(message.seq);
      case "counted":
        return this.#status!.reader.take(message.status);
      case "planned":
        return this.#planned(message.generation, message.report);
      case "cannot-watch":
        return this.#fail(message.text);
      case "all-read":
        this.#answerReadUps();
        return this.#letCommandsEnd();
      case "stdout-gone":
        this.#log.info("Nobody reads stdout any more: ending");
        this.#isStopping = true;
        this.#answerReadUps();
        this.#letCommandsEnd();
        return this.#finishAfterCommands();
      case "drained":
        if (message.linesLost > 0) {
          this.#log.warn(`Lines lost: ${message.linesLost}, as stdout was not read in time`);
        }
        return this.#finishAfterCommands();
    }
  }

  /** Answers come in the order of the questions. In a stop everything is read anyway. */
  #readUp(then: (seq: number) => void): void {
    if (this.#allIsRead) return then(Infinity);
    this.#readUps.push(then);
    if (!this.#isStopping) this.#reader!.send({ kind: "read-up" });
  }

  /** The reader answers no more. */
  #answerReadUps(): void {
    this.#allIsRead = true;
    this.#status!.reader.end();
    for (const then of this.#readUps.splice(0)) then(Infinity);
  }

  /** After a burst its memory goes back to the system: an idle daemon allocates nothing and so collects nothing. */
  #madeRoom(triggers: number): void {
    this.#reader?.madeRoom(triggers);
    this.#startedSinceCollected += triggers;
    if (this.#startedSinceCollected < collectAfterTriggers) return;
    this.#startedSinceCollected = 0;
    Bun.gc(true);
  }

  #setPlan(loaded: Loaded): void {
    const { rules, warnings, settings, dependsOn = [], leftOut = [] } = loaded;
    this.#status!.follow(loaded); // its socket is there before anything is watched
    for (const problem of leftOut) this.#log.error(formatProblem(problem));
    this.#watchConfiguration(dependsOn);
    const { maxRunning = defaultMaxRunning } = settings ?? {};
    this.#runner.allow(this.#options.maxRunning ?? maxRunning, rules);
    for (const warning of warnings) this.#log.warn(formatProblem(warning));
    forgetAccounts();
    for (const warning of unknownActors(rules)) this.#log.warn(warning);
    for (const trouble of cgroupTroubles(rules)) this.#log.error(trouble);
    this.#generation++;
    this.#rulesByGeneration.set(this.#generation, rules);
    const { everyPathMustWork } = this.#options;
    const plan = planOf(rules, { generation: this.#generation, everyPathMustWork, uidOf });
    const durable = this.#durable?.isNeededFor(rules) === true ? this.#durable : null;
    if (durable === null) return this.#sendPlan(plan);
    durable.follow(rules, settings?.stateDir).then(
      (catchUp) => this.#sendPlan({ ...plan, tellsReadUntil: true, ...(catchUp && { catchUp }) }),
      (error: Error) => this.#withoutJournal(plan, error),
    );
  }

  #sendPlan(plan: Plan): void {
    if (this.#isStopping) return;
    this.#hangWatch!.start();
    this.#reader!.send({ kind: "plan", plan });
  }

  /** What cannot be begun is not begun; what is under way goes on. */
  #withoutJournal(plan: Plan, { message }: Error): void {
    if (!this.#isReady) return this.#fail(message);
    this.#log.error(`${message}; until then no rule is durable`);
    this.#sendPlan(plan);
  }

  /** The reader follows the plan; it sends no more triggers of older ones. */
  #planned(generation: number, report: WatchReport): void {
    for (const older of this.#rulesByGeneration.keys()) {
      if (older < generation) this.#rulesByGeneration.delete(older);
    }
    if (report.polled.paths === 0) this.#hangWatch!.stop();
    this.#progress?.stop();
    this.#progress = null;
    const watched = report.watched.inotify + report.watched.fanotify + report.polled.paths;
    if (!this.#isReady && watched === 0 && report.failed > 0 && report.waiting === 0) {
      return this.#fail("None of the configured paths can be watched");
    }
    this.#log.info(`${this.#isReady ? "reloaded, " : ""}${watchReportText(report)}`);
    if (!this.#isReady) {
      this.#isReady = true;
      this.#log.info("ready");
      this.#options.onReady();
    }
    this.#isReloading = false;
    if (this.#reloadAgain) this.#reload();
  }

  /** An editor saves by several steps: they are over when there is a moment of rest. */
  #reloadSoon(): void {
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => {
      this.#log.info("The configuration has changed: reloading");
      this.#reload();
    }, configurationRestMs);
  }

  /** Also after a failure: a link may lead elsewhere by now, where the mistake will be corrected. */
  #watchConfiguration(dependsOn: readonly string[]): void {
    if (this.#options.watchesConfiguration !== true) return;
    this.#dependsOn = dependsOn;
    this.#reader!.send({ kind: "configuration", names: dependedNames(dependsOn) });
  }

  /** A configuration with errors leaves everything as it is. */
  #reload(): void {
    if (this.#isStopping) return;
    this.#reloadAgain = this.#isReloading;
    if (this.#isReloading) return;
    try {
      const loaded = this.#options.load();
      this.#isReloading = true;
      this.#setPlan(loaded);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#watchConfiguration(this.#dependsOn);
      for (const problem of error.problems) this.#log.error(formatProblem(problem));
      this.#log.error("Cannot reload: the configuration has errors; the old one stays in force");
    }
  }

  /** Read what happened until now, run what it asks for, let commands end; a second signal hurries. */
  #stop(signal: StopSignal): void {
    this.#stopSignal = signal;
    if (this.#isStopping) {
      this.#endIfHanging();
      return this.#runner.hurry();
    }
    this.#isStopping = true;
    this.#stoppedAt = performance.now();
    this.#log.info(`${signal}: reading what is queued, then ending`);
    this.#reader!.send({ kind: "drain", flushMs: graceMs });
    this.#hangWatch!.start();
    setTimeout(() => setInterval(() => this.#endIfHanging(), 1_000).unref(), graceMs).unref();
  }

  /** The reader cannot be asked for what has happened, and would never say that it is done. */
  #endIfHanging(): void {
    const hanging = this.#hangWatch!.hanging;
    if (this.#allIsRead || hanging === null) return;
    this.#log.warn(`Ending without a last look: waiting for ${hanging} in vain`);
    this.#answerReadUps();
    this.#letCommandsEnd();
    this.#finishAfterCommands();
  }

  #letCommandsEnd(): void {
    const spent = this.#stoppedAt === 0 ? 0 : performance.now() - this.#stoppedAt;
    this.#commandsEnded ??= this.#endCommands(Math.max(graceMs - spent, 0));
  }

  async #endCommands(graceLeftMs: number): Promise<void> {
    await within(graceLeftMs, this.#durable?.stored());
    await this.#runner.stop({ graceMs: graceLeftMs, killAfterMs });
    await within(killAfterMs, this.#durable?.close());
  }

  #finishAfterCommands(): void {
    void this.#commandsEnded?.then(async () => {
      await this.#outputLog.drain();
      const signal = this.#stopSignal === "SIGINT" ? "SIGINT" : null;
      this.#end.resolve({ isClean: true, signal });
    });
  }

  #fail(text: string): void {
    this.#log.error(text);
    this.#end.resolve({ isClean: false, signal: null });
  }
}

/** Wait for it, but no longer: a disk may not answer. */
async function within(milliseconds: number, promise: Promise<void> | undefined): Promise<void> {
  if (promise === undefined) return;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([promise, over]);
  clearTimeout(timer);
}
