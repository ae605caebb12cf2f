/** `${...}` and arithmetic: where bash takes text for a name, a number or an expression. */
import { type Reading, ShellMistake } from "./incron-shell-reading.ts";
import { exceptMask, tokenAt, tokenChar } from "./incron-text.ts";

/** Those that evaluate nothing but what is written there: no index, no `!`, no `@P`. */
const harmlessBraces = [
  /^#?(\w+|[@*#?$!-])$/,
  /^(\w+|[@*])(\[[@*\d]+\])?(:?[-+=?]|##?|%%?|\/\/?|\^\^?|,,?)/,
  /^(\w+|[@*]):\s*-?\d+(:\s*-?\d+)?$/,
];

export interface Nested {
  /** Where the dollar is. */
  readonly from: number;
  readonly isQuoted: boolean;
  readonly double: (reading: Reading) => void;
  readonly dollar: (reading: Reading, isQuoted: boolean) => void;
}

/** `{...}` after a dollar, at its opening brace. */
export function readBraces(reading: Reading, nested: Nested): void {
  const start = ++reading.at;
  reading.goDeeper();
  reading.take(/[#!]?(\w+|[@*#?$!-])?/y);
  for (; reading.char() !== "}";) {
    if (reading.isAtEnd) throw new ShellMistake(nested.from, "Missing } of ${: add it");
    inBraces(reading, nested);
  }
  reading.comeBack();
  const inside = reading.chars.slice(start, reading.at++);
  if (tokenChar.test(inside)) {
    reading.hazard(
      nested.from,
      "always",
      "Cannot use a token inside ${...}: give a variable its value first, like name=$#; ... $${name}",
    );
  } else if (!harmlessBraces.some((form) => form.test(inside))) {
    reading.hazard(
      nested.from,
      "names",
      `Cannot use this form of $\{...} beside $@ or $#: it takes a value for a name or an expression, which can run a command; ${intoScript}`,
    );
  }
}

export const intoScript = "put it into a script, and give it $@/$# as a word";

function inBraces(reading: Reading, { isQuoted, double, dollar }: Nested): void {
  const char = reading.char();
  if (char === '"') return double(reading);
  if (char === "$" || char === "`") return dollar(reading, isQuoted);
  if (char === "'" && !isQuoted) {
    const end = reading.chars.indexOf("'", reading.at + 1);
    if (end < 0)
      throw new ShellMistake(reading.at, "Missing closing quote ': add it where the word ends");
    reading.at = end;
  }
  reading.at += char === "\\" ? 2 : 1;
}

/**
 * `((...))` or `[...]`, at its first bracket.
 *
 * bash evaluates the value of a variable there, and `a[$(command)]` is a value that runs one.
 *
 * @returns false, and nothing is read, if it is no arithmetic after all: `$((a); b)`
 */
export function readArithmetic(reading: Reading, from: number): boolean {
  const isOld = reading.char() === "[";
  const start = reading.at + (isOld ? 1 : 2);
  const end = isOld ? reading.chars.indexOf("]", start) : arithmeticEnd(reading.chars, start);
  if (end < 0) {
    if (!isOld) return false;
    throw new ShellMistake(from, "Missing ] of $[: write $$((...))");
  }
  const inside = reading.chars.slice(start, end);
  reading.at = end + (isOld ? 1 : 2);
  references(reading, start, end);
  if (exceptMask.test(inside)) {
    reading.hazard(
      from,
      "always",
      `Cannot calculate with a token other than $&: its text can run a command there; ${intoScript}`,
    );
  } else if (!/^[\d\s+\-*/%&|^~<>=!?:(),\ue003]*$/.test(inside)) {
    reading.hazard(
      from,
      "names",
      `Cannot calculate beside $@ or $#: a file's name in a variable can run a command there; write expr, like $$(expr 1 + 2), or ${intoScript}`,
    );
  }
  return true;
}

function references(reading: Reading, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    const value = tokenAt(reading.chars, at);
    if (value === null) continue;
    reading.references.push({ at, value, context: "arithmetic", isEscaped: false });
  }
}

/** Where `))` closes what starts at `start`; -1 if parentheses there say that it is something else. */
function arithmeticEnd(chars: string, start: number): number {
  let depth = 0;
  for (let at = start; at < chars.length; at++) {
    if (chars[at] === "(") depth++;
    if (chars[at] !== ")") continue;
    if (depth === 0) return chars[at + 1] === ")" ? at : -1;
    depth--;
  }
  return -1;
}
