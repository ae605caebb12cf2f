/** What is found in the text of a shell command, and where the reading of it stands. */
import type { TokenValue } from "./incron-text.ts";

/** How a place of the text is quoted. */
export type Context = "plain" | "double" | "single" | "ansi" | "arithmetic" | "comment";

/** A token in the text. */
export interface Reference {
  readonly at: number;
  readonly value: TokenValue;
  readonly context: Context;
  /** A backslash stands before it, which counts as one. */
  readonly isEscaped: boolean;
}

export interface TextPiece {
  readonly kind: "text";
  /** Without quotes and escapes. */
  text: string;
  /** Where each char of it is. */
  readonly places: number[];
  readonly isQuoted: boolean;
}

export type Piece =
  | Readonly<TextPiece>
  | { readonly kind: "token"; readonly at: number; readonly value: TokenValue }
  | {
      readonly kind: "expansion";
      readonly what: "variable" | "command" | "process" | "other";
      /** As it is written. */
      readonly text: string;
      readonly isQuoted: boolean;
    };

export interface ShellWord {
  readonly from: number;
  readonly to: number;
  readonly pieces: readonly Piece[];
  /** It has something unquoted in it that only a shell expands: a wildcard, "~", "{". */
  readonly needsShell: boolean;
}

export interface Redirection {
  readonly operator: string;
  readonly target: ShellWord;
}

export interface ShellCommand {
  readonly words: readonly ShellWord[];
  readonly redirections: readonly Redirection[];
}

/** Why a text cannot be used, at a place in it. */
export interface Hazard {
  readonly from: number;
  readonly to: number;
  readonly message: string;
  /** "names": only if a file's name can get there somehow. */
  readonly when: "always" | "names";
}

export interface ShellScript {
  /** All of them, also those of substitutions, in the order of their ends. */
  readonly commands: readonly ShellCommand[];
  readonly references: readonly Reference[];
  readonly hazards: readonly Hazard[];
  /** Nothing but one command of words, quotes and tokens. */
  readonly isPlain: boolean;
}

/** A text that no shell would take. */
export class ShellMistake extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** What ends a script inside a script. */
export type ScriptEnd = ")" | "`" | null;

const depthMax = 50;

export class Reading {
  readonly chars: string;
  readonly commands: ShellCommand[] = [];
  readonly references: Reference[] = [];
  readonly hazards: Hazard[] = [];
  /** Operators, comments, expansions: what only a shell does. */
  shellWork = 0;
  at = 0;
  #depth = 0;
  readonly #readScript: (reading: Reading, end: ScriptEnd) => void;

  constructor(chars: string, readScript: (reading: Reading, end: ScriptEnd) => void) {
    this.chars = chars;
    this.#readScript = readScript;
  }

  get isAtEnd(): boolean {
    return this.at >= this.chars.length;
  }

  /** The char `ahead` of here; "" past the end. */
  char(ahead = 0): string {
    return this.chars[this.at + ahead] ?? "";
  }

  startsWith(text: string): boolean {
    return this.chars.startsWith(text, this.at);
  }

  /** The match of a sticky expression, which is skipped; null if there is none here. */
  take(expression: RegExp): string | null {
    expression.lastIndex = this.at;
    const match = expression.exec(this.chars);
    if (match === null) return null;
    this.at = expression.lastIndex;
    return match[0];
  }

  /** @throws {ShellMistake} when it is in too many others: that is no table but an accident */
  readScript(end: ScriptEnd): void {
    this.goDeeper();
    this.#readScript(this, end);
    this.comeBack();
  }

  goDeeper(): void {
    if (++this.#depth > depthMax) {
      throw new ShellMistake(
        this.at - 1,
        "Too many substitutions inside each other: put them into a script",
      );
    }
  }

  comeBack(): void {
    this.#depth--;
  }

  hazard(from: number, when: Hazard["when"], message: string): void {
    this.hazards.push({ from, to: this.at, when, message });
  }
}
