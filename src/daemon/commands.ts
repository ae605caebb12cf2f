/** Everything that runs commands: for rules, for gates, and what both share. */
import { Asker } from "../action/asker.ts";
import type { Ending } from "../action/ending.ts";
import { FamilyWatch } from "../action/family-watch.ts";
import { Launcher } from "../action/launcher.ts";
import { OutputLog } from "../action/output-log.ts";
import { Runner, type RunnerOptions } from "../action/runner.ts";
import { spawnCommand, type Start } from "../action/spawn.ts";
import type { Started } from "../action/started.ts";
import type { StopOptions } from "../action/stop.ts";
import { Counters } from "../rule/template.ts";
import { ConnectorEvents } from "./process-events.ts";

const stderrFd = 2;

export interface CommandsOptions extends Omit<RunnerOptions, "launcher" | "families"> {
  readonly cwd: string;
  /** How facron starts itself. */
  readonly self: readonly string[];
  /** The output thread's file. */
  readonly outputUrl: URL;
  /** The output thread ended: commands would wait for it for ever. */
  readonly onDeath: (reason: string) => void;
  /** Processes of commands that run, as of the last answer of the reader. */
  readonly members: () => number;
}

export class Commands {
  readonly runner: Runner;
  readonly asker: Asker;
  readonly outputLog: OutputLog;
  /** Threads that are told of the processes of commands. */
  readonly processEvents: ConnectorEvents;
  /** Told of each process that descends from us, before it can do anything. */
  readonly families: FamilyWatch;
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const { log, outputUrl, onDeath, readUp, members } = options;
    this.outputLog = new OutputLog({ url: outputUrl, log, onDeath });
    this.processEvents = new ConnectorEvents({ log });
    this.families = new FamilyWatch({
      events: this.processEvents,
      readUp: (then) => readUp(() => then()),
      members,
    });
    const { families } = this;
    const spawn = (start: Start, onExit: (ending: Ending) => void): Started =>
      this.#spawn(start, onExit);
    const launcher = new Launcher({ log, counters: new Counters(), spawn });
    this.runner = new Runner({ ...options, launcher, families });
    this.asker = new Asker({ log, launcher, families });
  }

  /** The next step of a stop that is under way comes now. */
  hurry(): void {
    this.asker.hurry();
    this.runner.hurry();
  }

  /** What waits is started or dropped, what runs may end; see `Runner.stop` and `Asker.stop`. */
  async stop(options: StopOptions): Promise<void> {
    await Promise.all([this.runner.stop(options), this.asker.stop(options)]);
  }

  #spawn(start: Start, onExit: (ending: Ending) => void): Started {
    const { cwd, self } = this.#options;
    return spawnCommand(start, { cwd, self, stderrFd, outputLog: this.outputLog, onExit });
  }
}
