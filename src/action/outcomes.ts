/** What becomes of a job when its run is over: done with, tried again, or given up. */
import type { Log } from "../log.ts";
import { type Ending, endingText } from "./ending.ts";
import { backoffOf, type Failed, failureOf, isTriedAgain } from "./failure.ts";
import type { Job } from "./job.ts";
import { Reports } from "./reports.ts";
import type { RuleRuns } from "./rule-runs.ts";
import type { Run } from "./run.ts";
import type { Tickets } from "./tickets.ts";
import { ruleTitle } from "./title.ts";

export interface OutcomesOptions {
  readonly log: Log;
  /** Null: no rule is durable. */
  readonly tickets: () => Tickets | null;
  /** Facron ends: nothing is tried again, and what is durable is run at the next start. */
  readonly isEnding: () => boolean;
  /** Jobs that wait are not started any more. */
  readonly isOver: () => boolean;
  /** A job that failed has its next turn. */
  readonly onRetry: (runs: RuleRuns, job: Job) => void;
  /** Run `on_failure` in the place and the lane of what failed. */
  readonly runOnFailure: (runs: RuleRuns, job: Job, error: string) => void;
}

export class Outcomes {
  readonly #options: OutcomesOptions;
  readonly #reports: Reports;
  /** When a failed job is tried again. */
  readonly #retries = new Map<Job, Timer>();

  constructor(options: OutcomesOptions) {
    this.#options = options;
    this.#reports = new Reports(options.log);
  }

  /** Jobs that wait to be tried again. */
  get waiting(): number {
    return this.#retries.size;
  }

  /** It needs no run: others have seen to what it is for. */
  settled(job: Job): void {
    this.#options.tickets()?.succeeded(job.tickets);
  }

  notStarted(runs: RuleRuns, job: Job, error: Error): void {
    const ending: Ending = { kind: "not-started", error };
    this.#reports.notStarted(ruleTitle(job.rule), error);
    runs.stats.ended(endingText(ending));
    this.#judge(runs, job, failureOf(ending, null));
  }

  /** What failed is reported before what comes of it. @returns whether it is still to be reported */
  over(runs: RuleRuns, job: Job, run: Run, ending: Ending): boolean {
    const failed = failureOf(ending, run.stopReason);
    if (failed !== null) this.report(runs, run, ending);
    this.#judge(runs, job, failed);
    return failed === null;
  }

  /** In the log; apart, as the next command need not wait for it. */
  report(runs: RuleRuns, run: Run, ending: Ending): void {
    runs.stats.ended(this.#reports.ended(run, ending));
  }

  onFailureOver(run: Run, ending: Ending): void {
    this.#reports.ended(run, ending);
  }

  onFailureNotStarted(job: Job, error: Error): void {
    this.#reports.notStarted(ruleTitle(job.rule), error);
  }

  /** Nothing waits to be tried again any longer. */
  retryNow(runs: RuleRuns): void {
    for (const job of runs.retried) this.#retry(runs, job);
  }

  clear(): void {
    for (const timer of this.#retries.values()) clearTimeout(timer);
    this.#retries.clear();
  }

  #judge(runs: RuleRuns, job: Job, failed: Failed | null): void {
    if (failed === null) {
      this.settled(job);
      return runs.finished(job);
    }
    const { retry } = job.policy;
    runs.stats.failed++;
    const isRetried = retry !== null && isTriedAgain(retry, failed, job.attempts);
    if (isRetried && !this.#options.isEnding()) this.#retryLater(runs, job);
    else this.#giveUp(runs, job, failed, { isRetried });
  }

  #retryLater(runs: RuleRuns, job: Job): void {
    const afterMs = backoffOf(job.policy.retry!, job.attempts, Math.random());
    runs.stats.retried++;
    this.#reports.triedAgain(job, afterMs);
    runs.waitsForRetry(job);
    this.#retries.set(
      job,
      setTimeout(() => this.#retry(runs, job), afterMs),
    );
  }

  #retry(runs: RuleRuns, job: Job): void {
    clearTimeout(this.#retries.get(job));
    this.#retries.delete(job);
    this.#options.onRetry(runs, job);
  }

  /** @param isRetried it would be tried again, if facron did not end */
  #giveUp(
    runs: RuleRuns,
    job: Job,
    { text }: Failed,
    { isRetried }: { readonly isRetried: boolean },
  ): void {
    const { onFailure, retry } = job.policy;
    const { tickets, isEnding, isOver, runOnFailure } = this.#options;
    const isCutShort = isEnding() && (isRetried || isOver());
    if (isCutShort && job.tickets.length > 0) {
      this.#reports.isKept(job, text);
      return runs.finished(job);
    }
    if (!isCutShort) tickets()?.gaveUp(job.tickets, { error: text, attempts: job.attempts });
    if (retry !== null) this.#reports.gaveUp(job, isCutShort ? `${text}, and facron ends` : text);
    if (onFailure === null) runs.finished(job);
    else runOnFailure(runs, job, text);
  }
}
