/** The keys of a `[[rule]]` or `[[gate]]` that say what is watched. */
import { latin1, pathBytes, utf8 } from "../../ffi/bytes.ts";
import type { WatchPath } from "../rule/rule.ts";
import { alternativesIn } from "./facron-mask.ts";
import type { NamedEvent } from "./facron-condition.ts";
import { escapedPath, isPattern, patternMistake, withoutEscapes } from "./glob-path.ts";
import { inside, type Text, type TomlTable } from "./toml-table.ts";
import { absolutePath } from "./watch-path.ts";

interface WatchKeys {
  readonly recursive?: boolean | undefined;
  readonly dot_directories?: boolean | undefined;
  readonly follow_symlink?: boolean | undefined;
  readonly only_directory?: boolean | undefined;
}

export function textsOf(
  key: "watch" | "on",
  value: string | readonly string[],
  table: TomlTable,
): Text[] {
  if (typeof value === "string") return [table.text(value, key)];
  return value.map((text, at) => table.text(text, key, at));
}

export function watchPathOf(one: Text, given: WatchKeys, table: TomlTable): WatchPath {
  const { recursive = false, dot_directories, follow_symlink, only_directory } = given;
  const { findings, cwd } = table.context;
  table.refuseNul(one);
  const mistake = patternMistake(one.text);
  if (mistake !== null && isPattern(one.text)) {
    const { at, length, message } = mistake;
    findings.error(inside(one, at, length), message);
  }
  return {
    ...pathOf(one.text, latin1(pathBytes(cwd))),
    recursive,
    ...(dot_directories === false ? { skipsDotDirectories: true } : {}),
    ...(follow_symlink === false ? { refusesSymlink: true } : {}),
    ...(only_directory === true ? { refusesFile: true } : {}),
  };
}

function pathOf(text: string, cwd: string): Pick<WatchPath, "path" | "isGlob"> {
  if (!isPattern(text)) return { path: absolutePath(latin1(utf8(withoutEscapes(text))), cwd) };
  return { path: absolutePath(latin1(utf8(text)), escapedPath(cwd)), isGlob: true };
}

/**
 * The names in `on`; null if there is something wrong with one, which the findings then have.
 *
 * @param example one that can be there
 */
export function eventsIn(
  on: readonly Text[],
  { context }: TomlTable,
  example: string,
): NamedEvent[][] | null {
  const { findings } = context;
  const before = findings.errorCount;
  const alternatives: NamedEvent[][] = [];
  for (const one of on) {
    // The names stand behind the quote.
    const names = alternativesIn({ ...one, from: one.from + 1 }, findings, { sparesLast: false });
    if (names.length === 0 && findings.errorCount === before)
      findings.error(one, `Missing event: name one, e.g. ${example}`);
    alternatives.push(...names);
  }
  return findings.errorCount > before ? null : alternatives;
}

/** `on` as if it were one mask. */
export function wholeMask(on: readonly Text[]): Text {
  return { ...on[0]!, text: on.map(({ text }) => text).join(",") };
}
