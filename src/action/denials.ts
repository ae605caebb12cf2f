/** Events that a rule's user may not know of: said, but not a thousand times. */
import { utf8 } from "../../ffi/bytes.ts";
import { ActionError } from "../errors.ts";
import { type Log, quoted } from "../log.ts";
import { shellWords } from "../rule/shell-words.ts";
import { Silences } from "./silences.ts";

/** The command was not run: its user may not read the place that told of the event. */
export class AccessDenied extends ActionError {
  constructor(user: string, place: Uint8Array) {
    super(`not run: ${shellWords([utf8(user)])} may not read ${quoted(place)}`);
  }
}

export class Denials {
  readonly #silences = new Silences();

  /** @param title `rule "x"` */
  tell(log: Log, title: string, { message }: AccessDenied): void {
    this.#silences.tell(title, (untold) => {
      const more =
        untold === 0 ? "" : ` (nor ran it for ${untold} other events since the last such line)`;
      log.warn(`${title}: ${message}${more}`);
    });
  }
}
