/** What the log says of commands: how they ended, and what becomes of those that failed. */
import { type Log, quoted } from "../log.ts";
import type { Rule } from "../rule/rule.ts";
import { durationText } from "../rule/duration.ts";
import { Denials, RecurringError } from "./denials.ts";
import { type Ending, endingText } from "./ending.ts";
import type { Job } from "./job.ts";
import type { Run } from "./run.ts";

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
      this.notStarted(run.rule, ending.error);
      return text;
    }
    const afterMs = Math.round(performance.now() - run.startedAt);
    const line = `${ruleText(run.rule)}: ${run.program} ${text} after ${afterMs} ms (pid ${run.pid})`;
    const isFine = ending.kind === "exited" && ending.code === 0;
    if (run.stopReason === "restart") this.#log.info(`${line}: stopped for its restart`);
    else if (isFine) this.#log.info(line);
    else this.#log.warn(line);
    return text;
  }

  notStarted(rule: Rule, error: Error): void {
    if (error instanceof RecurringError) this.#denials.tell(this.#log, rule.name, error);
    else this.#log.error(`${ruleText(rule)}: ${error.message}`);
  }

  triedAgain({ rule, attempts, policy }: Job, afterMs: number): void {
    const of = `${attempts} of ${policy.retry!.times}`;
    this.#log.info(`${ruleText(rule)}: tried again in ${durationText(afterMs)} (${of})`);
  }

  /** It is durable, and facron ends. */
  isKept({ rule, trigger }: Job, failure: string): void {
    this.#log.info(
      `${ruleText(rule)}: ${quoted(trigger.path)} is left for the next start: ${failure}`,
    );
  }

  gaveUp({ rule, trigger, attempts }: Job, failure: string): void {
    const runs = attempts === 1 ? "1 run" : `${attempts} runs`;
    this.#log.error(
      `${ruleText(rule)}: given up for ${quoted(trigger.path)} after ${runs}: ${failure}`,
    );
  }
}

const texts = new WeakMap<Rule, string>();

/** Quoting costs more than the rest of a log line, and a rule's name does not change. */
function ruleText(rule: Rule): string {
  const known = texts.get(rule);
  if (known !== undefined) return known;
  const text = `rule ${quoted(rule.name)}`;
  texts.set(rule, text);
  return text;
}
