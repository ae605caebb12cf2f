/** Places in a source: from bytes to the line, column and length that a reader can find. */
import { lossyText } from "../../ffi/bytes.ts";
import type { ConfigProblem } from "../errors.ts";

/** A stretch of a source, in bytes; it starts and ends between two characters. */
export interface Span {
  readonly from: number;
  readonly length: number;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/** How many bytes a UTF-8 byte order mark takes at the start of `bytes`: 3, or 0 if there is none. */
export function byteOrderMarkLength(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

/** Turns spans of one source into problems; cheapest when they come in the order of the source. */
export class Places {
  readonly #file: string;
  readonly #bytes: Uint8Array;
  /** The line looked at last: problems come line by line, so the search goes on from here. */
  #line = 1;
  #lineStart: number;

  constructor({ file, bytes }: { readonly file: string; readonly bytes: Uint8Array }) {
    this.#file = file;
    this.#bytes = bytes;
    this.#lineStart = byteOrderMarkLength(bytes);
  }

  /** The problem `message` at `span`; a span that goes on past its line is cut at the line's end. */
  problem(span: Span, message: string): ConfigProblem {
    this.#goToLineOf(span.from);
    const lineEnd = this.#lineEnd();
    const from = Math.min(Math.max(span.from, this.#lineStart), lineEnd);
    const to = Math.min(from + span.length, lineEnd);
    return {
      file: this.#file,
      line: this.#line,
      column: countCharacters(this.#text(this.#lineStart, from)) + 1,
      length: Math.max(1, countCharacters(this.#text(from, to))),
      text: showable(this.#text(this.#lineStart, lineEnd)),
      message,
    };
  }

  #goToLineOf(offset: number): void {
    if (offset < this.#lineStart) this.#goToFirstLine();
    for (;;) {
      const end = this.#bytes.indexOf(newline, this.#lineStart);
      if (end === -1 || end >= offset) return;
      this.#line++;
      this.#lineStart = end + 1;
    }
  }

  #goToFirstLine(): void {
    this.#line = 1;
    this.#lineStart = byteOrderMarkLength(this.#bytes);
  }

  /** Without the carriage return of a file from elsewhere. */
  #lineEnd(): number {
    const found = this.#bytes.indexOf(newline, this.#lineStart);
    const end = found === -1 ? this.#bytes.length : found;
    const cut = end > this.#lineStart && this.#bytes[end - 1] === carriageReturn;
    return cut ? end - 1 : end;
  }

  #text(from: number, to: number): string {
    return lossyText(this.#bytes.subarray(from, to));
  }
}

/** A problem of the file as a whole. */
export function problemOfFile(file: string, message: string): ConfigProblem {
  return { file, line: 0, column: 0, length: 1, text: "", message };
}

/** Characters are code points: an editor's cursor counts them so, UTF-16 does not. */
function countCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * `text` safe for a terminal, character for character, so that columns and carets stay right.
 *
 * A control character is shown as its picture (ESC as U+241B); those without a picture, and the
 * invisible ones that turn the direction of writing or start a line, as U+FFFD. Tabs stay.
 */
function showable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0)!;
    if (char === "\t") return char;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}
