/** Events that a rule's user may not know of: said, but not a thousand times. */
import { utf8 } from "../../ffi/bytes.ts";
import { ActionError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { shellWords } from "../rule/shell-words.ts";

/** The command was not run: its user may not read the place that told of the event. */
export class AccessDenied extends ActionError {
  constructor(user: string, place: Uint8Array) {
    super(`not run: ${shellWords([utf8(user)])} may not read ${quoted(place)}`);
  }
}

/** One line for each rule in this time. */
const silenceMs = 60_000;

interface Silence {
  readonly until: number;
  events: number;
}

export class Denials {
  readonly #silences = new Map<string, Silence>();

  tell(log: Log, rule: string, { message }: AccessDenied): void {
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
        : ` (nor ran it for ${silence.events} other events since the last such line)`;
    log.warn(`rule ${quoted(rule)}: ${message}${more}`);
  }
}
