/** What is counted of the command of a gate from the start of facron on. */
import { Histogram } from "./histogram.ts";
import { type Percentiles, percentilesOf } from "./runner-status.ts";

export class AskStats {
  /** Commands started. */
  runs = 0;
  /** Questions that it gave no answer to: it was not started, or killed. */
  failed = 0;
  /** Questions that were given up: nobody waited any longer. */
  givenUp = 0;
  /** From the question to the start of its command. */
  readonly waited = new Histogram();
  readonly ran = new Histogram();
}

/** Plain numbers, as of one moment. */
export interface AskStatus extends Readonly<Pick<AskStats, "runs" | "failed" | "givenUp">> {
  readonly running: number;
  readonly maxRunning: number;
  /** Questions that wait for a place. */
  readonly waiting: number;
  readonly waitedMs: Percentiles;
  readonly ranMs: Percentiles;
}

export function askStatus(
  { runs, failed, givenUp, waited, ran }: AskStats,
  present: Pick<AskStatus, "running" | "maxRunning" | "waiting">,
): AskStatus {
  const times = { waitedMs: percentilesOf(waited), ranMs: percentilesOf(ran) };
  return { ...present, runs, failed, givenUp, ...times };
}
