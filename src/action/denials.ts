/** What keeps a rule's command from being run for one event after the other: said, but not a thousand times. */
import { utf8 } from "../../ffi/bytes.ts";
import { ActionError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { shellWords } from "../rule/shell-words.ts";
import { Silences } from "./silences.ts";

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

export class Denials {
  readonly #silences = new Silences();

  /** @param title `rule "x"` */
  tell(log: Log, title: string, { message, level }: RecurringError): void {
    // Apart for each level: one error does not hide the other.
    this.#silences.tell(`${level} ${title}`, (untold) => {
      const others = `${untold} other ${untold === 1 ? "event" : "events"}`;
      const more = untold === 0 ? "" : ` (nor for ${others} since the last such line)`;
      log[level](`${title}: ${message}${more}`);
    });
  }
}
