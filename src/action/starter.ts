/** From a job to a run: what the command is told of its triggers. */
import type { ActionError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { Command, Failure, Filling } from "../rule/template.ts";
import { logDryRun } from "./dry-run.ts";
import type { Ending } from "./ending.ts";
import type { Job } from "./job.ts";
import type { Launcher } from "./launcher.ts";
import type { Run } from "./run.ts";
import { stdinOf } from "./stdin.ts";
import { ruleTitle } from "./title.ts";

export interface StarterOptions {
  readonly log: Log;
  readonly launcher: Launcher;
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

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  /** What would be run, in the log. */
  sayDryRun(job: Job): void {
    const { rule } = job;
    const { log, launcher } = this.#options;
    const argv = launcher.argvOf({ ...wordsOf(job), command: rule.command! });
    logDryRun(log, { title: ruleTitle(rule), user: rule.runAs?.user ?? null, argv });
  }

  /** @returns a run, or why there is none */
  start(command: Command, occasion: Occasion): Run | ActionError {
    const { job, failure, onOver } = occasion;
    const { rule, policy } = job;
    const { name, filling, paths } = wordsOf(job);
    return this.#options.launcher.start({
      ...{ name, title: ruleTitle(rule), command, paths },
      filling: failure === undefined ? filling : { ...filling, failure },
      limits: policy,
      runAs: rule.runAs,
      surroundings: rule.surroundings,
      stdin: failure === undefined ? stdinOf(job) : null,
      onOver,
    });
  }
}

function wordsOf(job: Job) {
  const { rule, trigger, events } = job;
  const filling: Filling = events > 1 ? { ...trigger, count: events } : trigger;
  return { name: rule.name, filling, paths: job.size > 1 ? job.paths : undefined };
}
