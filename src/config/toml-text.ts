/** TOML's smallest pieces, taken from a text one after the other: blanks, strings, scalars. */
import type { Span } from "./span.ts";

const integer = String.raw`0x[\da-fA-F]+(?:_[\da-fA-F]+)*|0o[0-7]+(?:_[0-7]+)*|0b[01]+(?:_[01]+)*`;
const decimal = String.raw`[+-]?(?:0|[1-9]\d*(?:_\d+)*)(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d+(?:_\d+)*)?`;
const time = String.raw`\d\d:\d\d(?::\d\d(?:\.\d+)?)?`;
const date = String.raw`\d{4}-\d\d-\d\d(?:[Tt ]${time}(?:[Zz]|[+-]\d\d:\d\d)?)?`;
const words = String.raw`true|false|[+-]?(?:inf|nan)`;
const end = String.raw`(?=[\s,#\]}]|$)`;

/** toml.io/en/v1.1.0: what a value without quotes and brackets can be. */
const scalar = new RegExp(`(?:${date}|${time}|${integer}|${decimal}|${words})${end}`, "y");

/** What may stand behind a backslash in double quotes; for several lines also a line's end. */
const escapes = /\\(?:[btnfre"\\]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U[\da-fA-F]{8})/y;
const lineEscape = /\\[ \t]*\r?\n\s*/y;

/** Control characters that no TOML text may have, other than tab and line ends. */
const forbidden = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

export class TomlText {
  readonly #text: string;
  at: number;

  /** @param text one char for one byte */
  constructor(text: string, start: number) {
    this.#text = text;
    this.at = start;
  }

  get atEnd(): boolean {
    return this.at >= this.#text.length;
  }

  get next(): string {
    return this.#text.charAt(this.at);
  }

  get atLineEnd(): boolean {
    return this.atEnd || this.next === "\n" || this.#text.startsWith("\r\n", this.at);
  }

  slice(from: number): string {
    return this.#text.slice(from, this.at);
  }

  /** What a sticky pattern matches here, or null. */
  take(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.at += match[0].length;
    return match[0];
  }

  /** Blanks and comments; with `lines` also the ends of lines. */
  skipSpace({ lines }: { readonly lines: boolean }): void {
    this.take(lines ? /(?:[ \t\r\n]|#[^\n]*)*/y : /[ \t]*(?:#[^\r\n]*)?/y);
  }

  takeScalar(): boolean {
    return this.take(scalar) !== null;
  }

  /** @returns where it goes wrong: the string from its quote on, an escape, a character; else null */
  takeString(): Span | null {
    const from = this.at;
    const quote = this.take(/"""|'''|"|'/y)!;
    const isLong = quote.length === 3;
    for (;;) {
      if (this.atEnd || (!isLong && this.atLineEnd)) return { from, length: quote.length };
      if (this.#text.startsWith(quote, this.at)) {
        this.at += quote.length;
        // Up to two quotes may stand before the three that close.
        if (isLong) this.take(quote === '"""' ? /"{0,2}/y : /'{0,2}/y);
        return null;
      }
      const fault = this.#takeInString(quote, isLong);
      if (fault !== null) return fault;
    }
  }

  #takeInString(quote: string, isLong: boolean): Span | null {
    const char = this.next;
    if (forbidden.test(char)) return { from: this.at, length: 1 };
    if (char !== "\\" || quote.startsWith("'")) {
      this.at++;
      return null;
    }
    if (this.take(escapes) !== null) return null;
    if (isLong && this.take(lineEscape) !== null) return null;
    return { from: this.at, length: 2 };
  }

  /** The word that starts here, for a caret. */
  wordHere(): Span {
    const rest = /[^\s,=\]}#]*/y;
    rest.lastIndex = this.at;
    return { from: this.at, length: Math.max(1, rest.exec(this.#text)![0].length) };
  }
}
