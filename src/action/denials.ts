/** Events that a rule's user may not know of: said, but not a thousand times. */
import { type Log, quoted } from "../log.ts";

/** One line for each rule in this time. */
const silenceMs = 60_000;

interface Silence {
  readonly until: number;
  events: number;
}

export class Denials {
  readonly #silences = new Map<string, Silence>();

  tell(log: Log, rule: string, user: string): void {
    const now = performance.now();
    const silence = this.#silences.get(rule);
    if (silence !== undefined && now < silence.until) {
      silence.events++;
      return;
    }
    this.#silences.set(rule, { until: now + silenceMs, events: 0 });
    const more =
      silence === undefined || silence.events === 0
        ? ""
        : ` (and ${silence.events} more since the last such line)`;
    log.warn(
      `rule ${quoted(rule)}: not run: ${quoted(user)} may not read the place of the event${more}; give it the right, or leave this to root`,
    );
  }
}
