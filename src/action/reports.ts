/** What the log says of commands: how they ended, and what becomes of those that failed. */
import { type Log, quoted } from "../log.ts";
import { durationText } from "../rule/duration.ts";
import { Denials, RecurringError } from "./denials.ts";
import { type Ending, endingText } from "./ending.ts";
import type { Job } from "./job.ts";
import type { Run } from "./run.ts";
import { ruleTitle } from "./title.ts";

export class Reports {
  readonly #log: Log;
  readonly #denials = new Denials();

  constructor(log: Log) {
    this.#log = log;
  }

  /** One line: status or signal, and how long it took. @returns "exited 0" */
  ended(run: Run, ending: Ending): string {
    const text = endingText(ending);
    if (ending.kind === "not-started") {
      this.notStarted(run.title, ending.error);
      return text;
    }
    const afterMs = Math.round(performance.now() - run.startedAt);
    const line = `${run.title}: ${run.program} ${text} after ${afterMs} ms (pid ${run.pid})`;
    const isFine = ending.kind === "exited" && ending.code === 0;
    if (run.stopReason === "restart") this.#log.info(`${line}: stopped for its restart`);
    else if (isFine) this.#log.info(line);
    else this.#log.warn(line);
    return text;
  }

  /** @param title `rule "import"` */
  notStarted(title: string, error: Error): void {
    if (error instanceof RecurringError) this.#denials.tell(this.#log, title, error);
    else this.#log.error(`${title}: ${error.message}`);
  }

  triedAgain({ rule, attempts, policy }: Job, afterMs: number): void {
    const of = `${attempts} of ${policy.retry!.times}`;
    this.#log.info(`${ruleTitle(rule)}: tried again in ${durationText(afterMs)} (${of})`);
  }

  /** It is durable, and facron ends. */
  isKept({ rule, trigger }: Job, failure: string): void {
    this.#log.info(
      `${ruleTitle(rule)}: ${quoted(trigger.path)} is left for the next start: ${failure}`,
    );
  }

  gaveUp({ rule, trigger, attempts }: Job, failure: string): void {
    const runs = attempts === 1 ? "1 run" : `${attempts} runs`;
    this.#log.error(
      `${ruleTitle(rule)}: given up for ${quoted(trigger.path)} after ${runs}: ${failure}`,
    );
  }
}
