/** THE MAIN PATH of the main thread: load, watch, run commands, reload, and come to a clean end. */
import { forgetAccounts, uidOf } from "../action/account.ts";
import { prepareForCommands } from "../action/limits.ts";
import { dependedNames } from "../config/depends.ts";
import { ConfigError, formatProblem } from "../errors.ts";
import type { Log } from "../log.ts";
import { type FromReader, type Plan, planOf, type WatchReport } from "../reader/plan.ts";
import type { Rule } from "../rule/rule.ts";
import { cgroupTroubles } from "./cgroup-troubles.ts";
import { Commands } from "./commands.ts";
import { Durable, type JournalSource } from "./durable.ts";
import { Gates } from "./gates.ts";
import { HangWatch } from "./hang-watch.ts";
import { type DaemonEnd, type DaemonOptions, defaultMaxRunning, type Loaded } from "./options.ts";
import { preparation } from "./preparation.ts";
import { Progress } from "./progress.ts";
import { ReadUpDesk } from "./read-up.ts";
import { ReaderThread } from "./reader-thread.ts";
import { watchReportText } from "./report.ts";
import type { StopSignal } from "./signals.ts";
import { Status } from "./status.ts";
import { unknownActors } from "./unknown-actors.ts";
import { within } from "./within.ts";

/** From SIGTERM on: commands may end by themselves for so long, and slow readers may read. */
const graceMs = 10_000;

/** So many commands leave megabytes behind; collecting them takes some 10 ms. */
const collectAfterTriggers = 4_000;

/** A file that is saved, or a link that is swapped, is done with after so long without a change. */
const configurationRestMs = 100;

/** From SIGTERM to a command until SIGKILL. */
const killAfterMs = 5_000;

/** The gates are off, most often within milliseconds; if not, the end of facron ends them. */
const gatesCloseMs = 1_000;

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
  readonly #commands: Commands;
  readonly #durable: Durable | null;
  readonly #gates: Gates;
  readonly #gatesLeft = Promise.withResolvers<void>();
  #reader: ReaderThread | null = null;
  #hangWatch: HangWatch | null = null;
  #progress: Progress | null = null;
  #status: Status | null = null;
  #generation = 0;
  /** The rules of each plan that triggers may still speak of: the last one that was set, and newer ones. */
  readonly #rulesByGeneration = new Map<number, readonly Rule[]>();
  #dependsOn: readonly string[] = [];
  #restTimer: Timer | undefined;
  /** In a stop everything is read anyway. */
  readonly #reads = new ReadUpDesk(() => {
    if (!this.#isStopping) this.#reader!.send({ kind: "read-up" });
  });
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
    this.#commands = this.#makeCommands(options);
    this.#gates = this.#makeGates();
    this.#durable = options.journal === undefined ? null : this.#durableRules(options.journal);
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
    this.#commands.processEvents.add(this.#reader);
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

  #makeCommands({
    log,
    cwd,
    self,
    outputUrl,
    maxRunning,
    dryRun = false,
  }: DaemonOptions): Commands {
    return new Commands({
      ...{ log, cwd, self, outputUrl, dryRun, maxRunning: maxRunning ?? defaultMaxRunning },
      readUp: (then) => this.#reads.readUp(then),
      members: () => this.#reader?.familyMembers ?? 0,
      onStarted: (count) => this.#madeRoom(count),
      onFull: (isFull) => this.#reader?.holdBack(isFull),
      tickets: () => this.#durable?.tickets ?? null,
      onDeath: (reason) =>
        this.#fail(`The output thread died, commands would wait for it for ever: ${reason}`),
    });
  }

  #makeStatus(reader: ReaderThread): Status {
    const { version, cwd, everyPathMustWork } = this.#options;
    return new Status({
      ...{ version, cwd, log: this.#log },
      reader: { ask: () => reader.send({ kind: "count" }), lookout: reader.lookout },
      runner: () => this.#commands.runner.status(),
      output: () => this.#commands.outputLog.commands,
      journal: async () => (await this.#durable?.status()) ?? null,
      gates: () => this.#gates.status(),
      state: () => (this.#isStopping ? "ending" : this.#isReady ? "running" : "starting"),
      saysWhyNot: !everyPathMustWork, // whoever types `watch` stands beside it
    });
  }

  #makeGates(): Gates {
    const { log, gateUrl: url, self, dryRun = false } = this.#options;
    return new Gates({
      ...{ url, self, log, dryRun, uidOf },
      asker: this.#commands.asker,
      processEvents: this.#commands.processEvents,
      families: this.#commands.families,
      writeLines: (lines) => this.#reader!.send({ kind: "lines", lines }),
      onGuard: (pid) => void (this.#reader!.guardPid = pid),
      onDeath: (reason) =>
        this.#fail(`The gate thread died, nothing is held back any more: ${reason}`),
    });
  }

  #durableRules(source: JournalSource): Durable {
    return new Durable({
      source,
      log: this.#log,
      run: (rules, buffer, count) => this.#commands.runner.enqueue(rules, buffer, count),
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
        return this.#commands.runner.enqueue(rules, message.buffer, message.count);
      }
      case "read-until":
        return this.#durable?.allIsReadUntil(message.microseconds);
      case "log":
        return this.#log[message.level](message.text);
      case "configuration-changed":
        return this.#reloadSoon();
      case "read":
        return this.#reads.answered(message.seq);
      case "left-gates":
        return this.#gatesLeft.resolve();
      case "wrote":
        return this.#gates.wrote(message.bytes);
      case "counted":
        return this.#status!.reader.take(message.status);
      case "planned":
        return this.#planned(message.generation, message.report);
      case "cannot-watch":
        return this.#fail(message.text);
      case "all-read":
        this.#endReading();
        return this.#letCommandsEnd();
      case "stdout-gone":
        this.#log.info("Nobody reads stdout any more: ending");
        this.#isStopping = true;
        this.#endReading();
        this.#letCommandsEnd();
        return this.#finishAfterCommands();
      case "drained":
        if (message.linesLost > 0) {
          this.#log.warn(`Lines lost: ${message.linesLost}, as stdout was not read in time`);
        }
        return this.#finishAfterCommands();
    }
  }

  /** The reader answers no more. */
  #endReading(): void {
    this.#status!.reader.end();
    this.#reads.end();
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
    this.#commands.runner.allow(this.#options.maxRunning ?? maxRunning, rules);
    for (const warning of warnings) this.#log.warn(formatProblem(warning));
    forgetAccounts();
    for (const warning of unknownActors(rules)) this.#log.warn(warning);
    for (const trouble of cgroupTroubles(rules)) this.#log.error(trouble);
    this.#generation++;
    this.#rulesByGeneration.set(this.#generation, rules);
    const { everyPathMustWork, gateLog = null } = this.#options;
    const planOptions = { generation: this.#generation, everyPathMustWork, uidOf };
    const prepared = preparation(loaded, planOptions, {
      durable: this.#durable,
      ...{ gates: this.#gates, gateLog },
      doWithout: this.#isReady ? (text) => this.#log.error(text) : null,
    });
    if (prepared === null) return this.#sendPlan(planOf(rules, planOptions));
    prepared.then(
      (plan) => this.#sendPlan(plan),
      (error: Error) => this.#fail(error.message),
    );
  }

  #sendPlan(plan: Plan): void {
    if (this.#isStopping) return;
    this.#hangWatch!.start();
    const port = plan.gates?.rootsPort;
    this.#reader!.send({ kind: "plan", plan }, port === undefined ? [] : [port]);
  }

  /** The reader follows the plan; it sends no more triggers of older ones. */
  #planned(generation: number, report: WatchReport): void {
    for (const older of this.#rulesByGeneration.keys()) {
      if (older < generation) this.#rulesByGeneration.delete(older);
    }
    if (report.polled.paths === 0) this.#hangWatch!.stop();
    this.#gates.inForce(generation);
    this.#progress?.stop();
    this.#progress = null;
    const watched =
      report.watched.inotify + report.watched.fanotify + report.polled.paths + report.gated.paths;
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
      return this.#commands.hurry();
    }
    this.#isStopping = true;
    this.#stoppedAt = performance.now();
    this.#log.info(`${signal}: reading what is queued, then ending`);
    // Gates first: their last lines are to be written out.
    void this.#closeGates().then(() => this.#drain());
    setTimeout(() => setInterval(() => this.#endIfHanging(), 1_000).unref(), graceMs).unref();
  }

  /**
   * The reader marks what it finds for as long as it knows of the group. If it hangs, they stay until the end of
   * facron: a number that is closed may be another file's.
   */
  async #closeGates(): Promise<void> {
    if (!this.#gates.isOpen) return;
    this.#reader!.send({ kind: "leave-gates" });
    if (await within(gatesCloseMs, this.#gatesLeft.promise))
      await within(gatesCloseMs, this.#gates.close());
  }

  #drain(): void {
    this.#reader!.send({ kind: "drain", flushMs: graceMs });
    this.#hangWatch!.start();
  }

  /** The reader cannot be asked for what has happened, and would never say that it is done. */
  #endIfHanging(): void {
    const hanging = this.#hangWatch!.hanging;
    if (this.#reads.isOver || hanging === null) return;
    this.#log.warn(`Ending without a last look: waiting for ${hanging} in vain`);
    this.#endReading();
    this.#letCommandsEnd();
    this.#finishAfterCommands();
  }

  #letCommandsEnd(): void {
    const spent = this.#stoppedAt === 0 ? 0 : performance.now() - this.#stoppedAt;
    this.#commandsEnded ??= this.#endCommands(Math.max(graceMs - spent, 0));
  }

  async #endCommands(graceLeftMs: number): Promise<void> {
    await within(graceLeftMs, this.#durable?.stored());
    await this.#commands.stop({ graceMs: graceLeftMs, killAfterMs });
    await within(killAfterMs, this.#durable?.close());
  }

  #finishAfterCommands(): void {
    void this.#commandsEnded?.then(async () => {
      await this.#commands.outputLog.drain();
      const signal = this.#stopSignal === "SIGINT" ? "SIGINT" : null;
      this.#end.resolve({ isClean: true, signal });
    });
  }

  #fail(text: string): void {
    this.#log.error(text);
    this.#end.resolve({ isClean: false, signal: null });
  }
}
