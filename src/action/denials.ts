/** What keeps a rule's command from being run for one event after the other: said, but not a thousand times. */
import { utf8 } from "../../ffi/bytes.ts";
import { ActionError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { shellWords } from "../rule/shell-words.ts";

/** The next event will meet the same, most probably. */
export abstract class RecurringError extends ActionError {
  abstract readonly level: "warn" | "error";
}

/** The command was not run: its user may not read the place that told of the event. */
export class AccessDenied extends RecurringError {
  readonly level = "warn";

  constructor(user: string, place: Uint8Array) {
    super(`not run: ${shellWords([utf8(user)])} may not read ${quoted(place)}`);
  }
}

/** The command was not run: it can't have the cgroup that its rule wants for it. */
export class CgroupError extends RecurringError {
  readonly level = "error";
}

/** One line for each rule in this time. */
const silenceMs = 60_000;

interface Silence {
  readonly until: number;
  events: number;
}

export class Denials {
  /** By rule, apart for each level: one error does not hide the other. */
  readonly #silences = new Map<string, Silence>();

  tell(log: Log, rule: string, { message, level }: RecurringError): void {
    const now = performance.now();
    const key = `${level} ${rule}`;
    const silence = this.#silences.get(key);
    if (silence !== undefined && now < silence.until) {
      silence.events++;
      return;
    }
    this.#silences.set(key, { until: now + silenceMs, events: 0 });
    const others = silence?.events ?? 0;
    const more =
      others === 0
        ? ""
        : ` (nor for ${others} other ${others === 1 ? "event" : "events"} since the last such line)`;
    log[level](`rule ${quoted(rule)}: ${message}${more}`);
  }
}
