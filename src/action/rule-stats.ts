/** What is counted of a rule from the start of facron on. */
import { Histogram } from "./histogram.ts";

export class RuleStats {
  /** Triggers that came for it; those that wait while it is suspended count when it is back. */
  events = 0;
  /** Commands started. */
  runs = 0;
  /** Runs that failed, those that were tried again included. */
  failed = 0;
  retried = 0;
  /** Triggers that a full queue cost. */
  dropped = 0;
  /** Triggers that need no run, as a command was running: `when_busy` is "skip" or "signal". */
  skipped = 0;
  /** Events that were its own commands' doing. */
  own = 0;
  #last: LastEnding | null = null;
  /** From the reading of an event to the start of its command. */
  readonly waited = new Histogram();
  readonly ran = new Histogram();

  /** A trigger has come that needs no run, as one of its commands has caused it. */
  isOwn(): void {
    this.events++;
    this.own++;
  }

  /** Null: no command has ended. */
  get last(): LastEnding | null {
    return this.#last;
  }

  /** @param how "exited 0", "was killed by SIGTERM", "was not started" */
  ended(how: string): void {
    this.#last = { how, at: Date.now() };
  }
}

export interface LastEnding {
  readonly how: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}
