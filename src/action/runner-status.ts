/** What the runner tells of itself: plain numbers, as of one moment. */
import type { Histogram } from "./histogram.ts";
import type { LastEnding, RuleStats } from "./rule-stats.ts";

export interface RunnerStatus {
  /** Commands that run, and that may run at once. */
  readonly running: number;
  readonly maxRunning: number;
  /** Triggers whose command has not been started. */
  readonly queued: number;
  /** By the names of rules: of each that has had a trigger, also of one that is gone and still runs. */
  readonly rules: ReadonlyMap<string, RuleRunsStatus>;
}

/** Totals are from the start of facron on. */
export interface RuleRunsStatus extends Readonly<
  Pick<RuleStats, "events" | "runs" | "failed" | "retried" | "dropped" | "skipped" | "own">
> {
  readonly running: number;
  /** Triggers whose command has not been started. */
  readonly queued: number;
  /** Runs that failed, and will be tried again. */
  readonly retrying: number;
  /** Paths on which it waits, as it has set itself off there again and again. */
  readonly suspended: number;
  /** Null: no command has ended. */
  readonly last: LastEnding | null;
  readonly waitedMs: Percentiles;
  readonly ranMs: Percentiles;
}

/** Milliseconds; null: there is nothing to tell yet. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p99: number | null;
}

/** What is at present is what `RuleRuns` knows; the rest has been counted. */
export function ruleRunsStatus(
  stats: RuleStats,
  present: Pick<RuleRunsStatus, "running" | "queued" | "retrying" | "suspended">,
): RuleRunsStatus {
  const { events, runs, failed, retried, dropped, skipped, own, last } = stats;
  return {
    ...{ events, runs, ...present, failed, retried, dropped, skipped, own, last },
    waitedMs: percentilesOf(stats.waited),
    ranMs: percentilesOf(stats.ran),
  };
}

export function percentilesOf(histogram: Histogram): Percentiles {
  return { p50: shortened(histogram.percentile(0.5)), p99: shortened(histogram.percentile(0.99)) };
}

/** More digits than that it does not know. */
function shortened(milliseconds: number | null): number | null {
  return milliseconds === null ? null : Number(milliseconds.toPrecision(2));
}
