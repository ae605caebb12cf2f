/** Patterns of include and exclude as they are written: what is wrong with one. */
import { WatchError } from "../errors.ts";
import { quoted } from "../log.ts";
import { alternativesOf } from "../rule/glob-braces.ts";

/** Null if nothing is. */
export function filterPatternMistake(pattern: string): string | null {
  if (pattern.includes("\0"))
    return "Unexpected NUL character: no path or argument can hold one; remove it";
  if (pattern.startsWith("!"))
    return `Cannot use ${quoted(pattern)}: a pattern says what is meant, and include and exclude what becomes of it; write \\! for a name that starts so`;
  const names = pattern.split("/").filter((name) => name !== "");
  if (names.length === 0)
    return `Cannot use ${quoted(pattern)}: it names nothing below the watch; write a name, e.g. "*.part"`;
  if (names.some((name) => name === "." || name === ".."))
    return `Cannot use ${quoted(pattern)}: patterns are for paths below the watch; write it without "." and ".."`;
  if (/(?<!\\)(?:\\\\)*\{[^}]*$/.test(pattern))
    return 'Missing "}" in the pattern: close it, or write \\{ for a brace in a name';
  return tooManyAlternatives(pattern);
}

function tooManyAlternatives(pattern: string): string | null {
  try {
    alternativesOf(pattern);
    return null;
  } catch (error) {
    if (error instanceof WatchError) return `Cannot use ${quoted(pattern)}: ${error.message}`;
    throw error;
  }
}
