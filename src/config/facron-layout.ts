/** Lines of a facron table that are no `PATH MASK COMMAND`, told in the words of what was forgotten. */
import { meaningOf, suggestionFor } from "./event-names.ts";
import type { Field, Fields } from "./facron-fields.ts";
import { hasPrefix, isSurelyMask } from "./facron-mask.ts";
import { quotedWord } from "./findings.ts";
import type { Span } from "./span.ts";

export interface Mistake {
  readonly span: Span;
  readonly message: string;
}

/** What is wrong with the order of the fields; null if they may be path, mask and command. */
export function layoutMistake({ fields, openQuote }: Fields): Mistake | null {
  const [path, mask, ...rest] = fields;
  if (path === undefined) return null;
  if (lacksPath(path, mask)) return { span: path, message: missingPath(path) };
  if (mask === undefined) return openQuote ? null : { span: path, message: missingMask(path) };
  if (isRestOfPath(mask, rest)) return { span: mask, message: unquotedPath(mask) };
  return null;
}

/** `FAN_OPEN /bin/x`: a mask where the path should be, and no mask after it. */
function lacksPath(path: Field, mask: Field | undefined): boolean {
  if (path.isQuoted || !isSurelyMask(path.text)) return false;
  return mask === undefined || !hasPrefix(mask.text);
}

function missingPath(path: Field): string {
  return `Missing path before ${quotedWord(path.text)}: a line is PATH MASK COMMAND`;
}

function missingMask(path: Field): string {
  return `Missing mask after ${quotedWord(path.text)}: name the events, e.g. FAN_CLOSE_WRITE`;
}

/** `/srv/my files FAN_OPEN`: nothing like an event where the mask should be, and the mask comes later. */
function isRestOfPath(mask: Field, rest: readonly Field[]): boolean {
  if (mask.isQuoted || !resemblesNoEvent(mask.text)) return false;
  return rest.some((field) => !field.isQuoted && isSurelyMask(field.text));
}

function resemblesNoEvent(text: string): boolean {
  const names = text.split(/[|,]/);
  return names.every((name) => meaningOf(name) === null && suggestionFor(name) === null);
}

function unquotedPath(mask: Field): string {
  return `Unknown event ${quotedWord(mask.text)}: a path with blanks needs quotes around it`;
}
