/** Braces and brackets of a pattern as they are written: glob(7) lets all pass, and few then mean what they say. */
import { utf8 } from "../../ffi/bytes.ts";
import { WatchError } from "../errors.ts";
import { quoted } from "../log.ts";
import { alternativesOf } from "../rule/glob-braces.ts";
import { codePointsOf } from "../rule/glob-characters.ts";
import { setAt } from "../rule/glob-set.ts";

export interface PatternMistake {
  readonly at: number;
  readonly length: number;
  readonly message: string;
}

/**
 * The first brace or bracket that is never closed, or range that runs backwards; null if there is none.
 *
 * @param pattern of a name, or of a path in whose brackets a slash may stand
 */
export function syntaxMistake(pattern: string): PatternMistake | null {
  const brace = /(?<!\\)(?:\\\\)*(\{)[^}]*$/d.exec(pattern);
  if (brace !== null) return { at: brace.indices![1]![0], length: 1, message: openBrace };
  try {
    for (const alternative of alternativesOf(pattern)) {
      const mistake = mistakeInBrackets(alternative);
      // Only braces inside of brackets take a pattern apart so that what is wrong is not there.
      if (mistake !== null) return { ...mistake, at: Math.max(pattern.indexOf(mistake.text), 0) };
    }
    return null;
  } catch (error) {
    if (!(error instanceof WatchError)) throw error;
    const message = `Cannot use ${quoted(pattern)}: ${error.message}`;
    return { at: 0, length: pattern.length, message };
  }
}

/** The same in the components of a path: no bracket reaches beyond a slash. */
export function syntaxMistakeInPath(path: string): PatternMistake | null {
  let from = 0;
  for (const component of path.split("/")) {
    const mistake = syntaxMistake(component);
    if (mistake !== null) return { ...mistake, at: from + mistake.at };
    from += component.length + 1;
  }
  return null;
}

const openBrace = 'Missing "}" in the pattern: close it, or write \\{ for a brace in a name';
const openBracket = 'Missing "]" in the pattern: close it, or write \\[ for a bracket in a name';

interface BracketMistake {
  /** By which it is found. */
  readonly text: string;
  readonly length: number;
  readonly message: string;
}

const backslash = 0x5c;
const bracket = 0x5b;

function mistakeInBrackets(text: string): BracketMistake | null {
  const characters = codePointsOf(utf8(text));
  for (let at = 0; at < characters.length; at++) {
    if (characters[at] === backslash) at++;
    else if (characters[at] === bracket) {
      const set = setAt(characters, at);
      if (set === null) return { text: textOf(characters, at), length: 1, message: openBracket };
      if (set.backwards !== null) return backwards(textOf(characters, ...set.backwards));
      at = set.end - 1;
    }
  }
  return null;
}

function backwards(range: string): BracketMistake {
  const message = `Cannot use the range ${quoted(range)}: it runs backwards, so nothing is in it; write its lower end first`;
  return { text: range, length: range.length, message };
}

function textOf(characters: ArrayLike<number>, from: number, to?: number): string {
  return String.fromCodePoint(...Array.from(characters).slice(from, to));
}
