/** Ignore files: their lines (gitignore(5), "PATTERN FORMAT"), and which of several lines decides. */
import { latin1 } from "../../ffi/bytes.ts";
import { PathGlob, type PlaceBelow } from "./path-glob.ts";
import type { IgnoreRule } from "./subject.ts";

/** @param file that they stand in, for the user */
export function ignoreRulesOf(bytes: Uint8Array, file: Uint8Array): IgnoreRule[] {
  const text = latin1(bytes).replace(/^\u00ef\u00bb\u00bf/, "");
  return text.split("\n").flatMap((line, index) => ruleOf(line, { file, line: index + 1 }) ?? []);
}

function ruleOf(written: string, where: { file: Uint8Array; line: number }): IgnoreRule | null {
  const line = withoutTrailingBlanks(written.replace(/\r$/, "").replace(/\0.*/s, ""));
  if (line === "" || line.startsWith("#")) return null;
  const isNegative = line.startsWith("!");
  const glob = PathGlob.ofIgnoreFile(isNegative ? line.slice(1) : line);
  return glob === null ? null : { glob, isNegative, ...where };
}

/** Blanks at the end mean nothing, but for one behind a backslash. */
function withoutTrailingBlanks(line: string): string {
  let end = line.length;
  while (line[end - 1] === " ") end--;
  const [backslashes] = /\\*$/.exec(line.slice(0, end))!;
  return line.slice(0, backslashes.length % 2 === 1 && end < line.length ? end + 1 : end);
}

/** The last line that speaks of the place; null if none does. */
export function lastMatch(
  rules: readonly IgnoreRule[],
  place: PlaceBelow,
  isDirectory: boolean,
): IgnoreRule | null {
  for (let i = rules.length - 1; i >= 0; i--)
    if (rules[i]!.glob.matches(place, isDirectory)) return rules[i]!;
  return null;
}
