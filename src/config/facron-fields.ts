/** A line of a facron table cut into fields: quotes and blanks, nothing else. */
import type { Span } from "./span.ts";

/** `from` and `length` cover its quotes too. */
export interface Field extends Span {
  /** Without its quotes; one char for one byte. */
  readonly text: string;
  readonly isQuoted: boolean;
}

export interface Fields {
  readonly fields: readonly Field[];
  /** A quote that is never closed, with all that follows it. */
  readonly openQuote: Span | null;
}

/**
 * The fields of one line.
 *
 * A quote counts only as the first byte of a field and ends it when it comes again, blank or not:
 * `"a b"c` is two fields, `a"b` one. There is no escape. All of this as in facron 1.1.
 *
 * @param line one char for one byte
 * @param lineStart where the line starts in the source
 */
export function splitFields(line: string, lineStart: number): Fields {
  const fields: Field[] = [];
  for (let at = skipBlanks(line, 0); at < line.length;) {
    const end = fieldEnd(line, at);
    const from = lineStart + at;
    if (end === null) return { fields, openQuote: { from, length: line.length - at } };
    const isQuoted = isQuote(line, at);
    const text = isQuoted ? line.slice(at + 1, end - 1) : line.slice(at, end);
    fields.push({ text, from, length: end - at, isQuoted });
    at = skipBlanks(line, end);
  }
  return { fields, openQuote: null };
}

/** Space, tab, carriage return: what facron 1.1 takes for blank. */
export function isBlank(line: string, at: number): boolean {
  const code = line.charCodeAt(at);
  return code === 0x20 || code === 0x09 || code === 0x0d;
}

export function skipBlanks(line: string, at: number): number {
  while (isBlank(line, at)) at++;
  return at;
}

/** The place after the field that starts at `at`; null if its quote is not closed. */
function fieldEnd(line: string, at: number): number | null {
  if (isQuote(line, at)) {
    const closing = line.indexOf(line[at]!, at + 1);
    return closing === -1 ? null : closing + 1;
  }
  let end = at;
  while (end < line.length && !isBlank(line, end)) end++;
  return end;
}

function isQuote(line: string, at: number): boolean {
  return line[at] === '"' || line[at] === "'";
}
