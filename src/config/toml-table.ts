/** One table of a TOML file as its keys are read: where they stand, and who takes what is wrong with them. */
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { quotedWord, type Findings } from "./findings.ts";
import type { Programs } from "./programs.ts";
import type { Span } from "./span.ts";
import type { TomlPath, TomlPlaces } from "./toml-places.ts";

export interface TomlContext {
  readonly places: TomlPlaces;
  readonly findings: Findings;
  readonly programs: Programs;
  /** Where relative paths start. */
  readonly cwd: string;
  /** One char for one byte. */
  readonly text: string;
  /** Keys were left out of the table, or of `[facron]`: nothing is said to be missing. */
  readonly isPart?: boolean;
}

/** A text of the file and where it stands, its quotes included. */
export interface Text extends Span {
  readonly text: string;
}

export class TomlTable {
  readonly context: TomlContext;
  readonly #at: TomlPath;

  constructor(context: TomlContext, at: TomlPath) {
    this.context = context;
    this.#at = at;
  }

  get head(): Span {
    return this.span() ?? { from: 0, length: 1 };
  }

  /** Of a value; null if the table does not have it. */
  span(...keys: TomlPath): Span | null {
    return this.context.places.value([...this.#at, ...keys]);
  }

  text(text: string, ...keys: TomlPath): Text {
    return { text, ...(this.span(...keys) ?? this.head) };
  }

  /** A value as it is written. */
  written(...keys: TomlPath): string {
    const { from, length } = this.span(...keys) ?? this.head;
    return this.context.text.slice(from, from + length);
  }

  /** At the value of a key, or at the head if there is none. */
  error(keys: TomlPath, message: string): void {
    this.context.findings.error(this.span(...keys) ?? this.head, message);
  }

  /** `Cannot use "soon" as timeout: it is no duration; ...` @param why a clause with its cure */
  refuse(keys: TomlPath, value: string, why: string): void {
    const shown = quotedWord(latin1(utf8(value)));
    this.error(keys, `Cannot use ${shown} as ${keys.join(".")}: ${why}`);
  }

  /** The same where something is missing: it may be there, with an error of its own. */
  lacks(keys: TomlPath, message: string): void {
    if (this.context.isPart !== true) this.error(keys, message);
  }

  needs(key: string, other: string): void {
    const at = this.span(key) === null ? "run" : key;
    this.lacks([at], `Cannot use ${key} without ${other}: add that, or remove ${key}`);
  }

  /** @returns whether it has none */
  refuseNul(one: Text): boolean {
    if (!one.text.includes("\0")) return true;
    this.context.findings.error(
      one,
      "Unexpected NUL character: no path or argument can hold one; remove it",
    );
    return false;
  }
}

/** A stretch of a text behind its opening quote; with escapes in it the place is only near. */
export function inside(text: Text, at: number, length: number): Span {
  const bytes = utf8(text.text.slice(0, at)).length;
  return { from: text.from + 1 + bytes, length };
}
