/** Paths with wildcards as they are written: which are patterns, and what the others name. */
import { type PatternMistake, syntaxMistakeInPath } from "./pattern-syntax.ts";

const wildcard = /(?<!\\)(?:\\\\)*[*?[{]/;

/** Whether it holds a wildcard that no backslash stands before. */
export function isPattern(path: string): boolean {
  return wildcard.test(path);
}

/** The path that is meant by one without wildcards: a backslash makes the next character literal. */
export function withoutEscapes(path: string): string {
  return path.replace(/\\(.)/gs, "$1");
}

/** The way back: a path that means exactly `path`. */
export function escapedPath(path: string): string {
  return path.replace(/[\\*?[{]/g, "\\$&");
}

/** What is wrong with a pattern, with its place; null if nothing is. */
export function patternMistake(path: string): PatternMistake | null {
  const deep = path.indexOf("**");
  if (deep >= 0) {
    const message = 'Cannot use "**": write the directory above it, and recursive = true';
    return { at: deep, length: 2, message };
  }
  const braces = /(?<!\\)\{[^}]*\//.exec(path);
  if (braces === null) return syntaxMistakeInPath(path);
  const message = 'Cannot use a slash inside "{...}": list the paths one by one in watch';
  return { at: braces.index, length: 1, message };
}
