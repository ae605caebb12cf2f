/** From a job to a process: the command's words, what it is told of the event, and the start itself. */
import { ActionError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { eventEnvironment } from "../rule/event-environment.ts";
import {
  type Command,
  Counters,
  type Failure,
  type Filling,
  fillCommand,
  fillValue,
  type Source,
} from "../rule/template.ts";
import { logDryRun } from "./dry-run.ts";
import type { Ending } from "./ending.ts";
import type { Job } from "./job.ts";
import { Run } from "./run.ts";
import type { Started } from "./started.ts";
import type { Start } from "./spawn.ts";
import { stdinOf } from "./stdin.ts";

/** `spawnCommand` with its other options. @throws {ActionError} */
export type Spawn = (start: Start, onExit: (ending: Ending) => void) => Started;

export interface StarterOptions {
  readonly log: Log;
  readonly spawn: Spawn;
}

/** What it is started for, and who hears of its end. */
export interface Occasion {
  readonly job: Job;
  /** Of `on_failure`: why it is run. */
  readonly failure?: Failure;
  readonly onOver: (run: Run, ending: Ending) => void;
}

export class Starter {
  readonly #options: StarterOptions;
  readonly #counters = new Counters();

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  /** What would be run, in the log. */
  sayDryRun(job: Job): void {
    const source = { rule: job.rule.name, counters: this.#counters };
    const argv = argvOf(job.rule.command!, job, this.#fillingOf(job), source);
    logDryRun(this.#options.log, job.rule, argv);
  }

  /** @returns a run, or why there is none */
  start(command: Command, occasion: Occasion): Run | ActionError {
    const { job, failure, onOver } = occasion;
    const { rule, policy } = job;
    const told = this.#fillingOf(job);
    const filling = failure === undefined ? told : { ...told, failure };
    const source = { rule: rule.name, counters: this.#counters };
    const argv = argvOf(command, job, filling, source);
    const run = new Run({
      rule,
      policy,
      program: quoted(argv[0] ?? ""),
      log: this.#options.log,
      onOver,
    });
    const start: Start = {
      argv,
      variables: eventEnvironment(filling, source),
      runAs: rule.runAs ?? null,
      place: fillValue("watched", filling, source),
      surroundings: rule.surroundings ?? null,
      stdin: failure === undefined ? stdinOf(job) : null,
      rule: rule.name,
    };
    try {
      run.begin(this.#options.spawn(start, (ending) => run.ended(ending)));
      return run;
    } catch (error) {
      if (error instanceof ActionError) return error;
      throw error;
    }
  }

  #fillingOf({ trigger, events }: Job): Filling {
    return events > 1 ? { ...trigger, count: events } : trigger;
  }
}

function argvOf(command: Command, job: Job, filling: Filling, source: Source): Uint8Array[] {
  return fillCommand(command, filling, source, job.size > 1 ? job.paths : undefined);
}
