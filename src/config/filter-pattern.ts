/** Patterns of include and exclude as they are written: what is wrong with one. */
import { quoted } from "../log.ts";
import { syntaxMistake } from "./pattern-syntax.ts";

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
  return syntaxMistake(pattern)?.message ?? null;
}
