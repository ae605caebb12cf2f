/** What is counted of a rule from the start of facron on. */
import { Histogram } from "./histogram.ts";

export class RuleStats {
  /** Triggers that came for it. */
  events = 0;
  /** Commands started. */
  runs = 0;
  /** Runs that failed, those that were tried again included. */
  failed = 0;
  retried = 0;
  /** Triggers that a full queue cost. */
  dropped = 0;
  /** Events that were its own commands' doing. */
  own = 0;
  /** As "exited 0" or "was killed by SIGTERM"; null: none has ended. */
  lastEnding: string | null = null;
  /** From the reading of an event to the start of its command. */
  readonly waited = new Histogram();
  readonly ran = new Histogram();
}
