/** incron's tables: `PATH MASK COMMAND` as incrontab(5) has them. */
import { basename } from "node:path";
import { fromLatin1, latin1 } from "../../ffi/bytes.ts";
import { eventBits, namesOf } from "../event.ts";
import type { RunAs } from "../rule/rule.ts";
import { Findings, quotedWord } from "./findings.ts";
import { isPattern, withoutEscapes } from "./glob-path.ts";
import { readIncronCommand } from "./incron-command.ts";
import { type IncronLine, incronLine, type PathPiece } from "./incron-fields.ts";
import { isIncronMask, readIncronMask } from "./incron-mask.ts";
import { Programs } from "./programs.ts";
import type { Parsed, PlacedRule, Source } from "./source.ts";
import { byteOrderMarkLength } from "./span.ts";
import { absolutePath } from "./watch-path.ts";

/** @throws {ConfigError} with everything that is wrong in it */
export function parseIncronTable(source: Source): Parsed {
  return parseTableOf(source, null);
}

/** @param runAs whom the commands of a user's table run as; null for a system table */
export function parseTableOf(source: Source, runAs: RunAs | null): Parsed {
  const findings = new Findings(source);
  const programs = new Programs(source.cwd);
  const rules: PlacedRule[] = [];
  const text = latin1(source.bytes);
  let from = byteOrderMarkLength(source.bytes);
  for (let number = 1; from < text.length; number++) {
    const newline = text.indexOf("\n", from);
    const to = newline < 0 ? text.length : newline;
    const line = text.slice(from, to).replace(/\r$/, "");
    const name = `${basename(source.file)}:${number}`;
    const rule = isInUse(line, from, findings)
      ? ruleOf(incronLine(line, from), { name, runAs, programs, findings })
      : null;
    if (rule !== null) rules.push(rule);
    from = to + 1;
  }
  findings.throwErrors();
  return { rules, includes: [], settings: {} };
}

function isInUse(line: string, from: number, findings: Findings): boolean {
  const nul = line.indexOf("\0");
  if (nul >= 0) {
    const cure = "no path or argument can hold one; save the file as plain text (UTF-8)";
    findings.error({ from: from + nul, length: 1 }, `Unexpected NUL byte: ${cure}`);
  }
  return nul < 0 && /^[ \t]*[^ \t#]/.test(line);
}

interface RuleContext {
  readonly name: string;
  readonly runAs: RunAs | null;
  readonly programs: Programs;
  readonly findings: Findings;
}

function ruleOf(
  line: IncronLine,
  { name, runAs, programs, findings }: RuleContext,
): PlacedRule | null {
  const { path, mask, command, openQuote } = line;
  if (openQuote !== null) {
    findings.error(
      openQuote,
      "Missing closing quote: add it where the path ends, or write a backslash before each blank",
    );
    return null;
  }
  if (path === null) return null;
  if (isIncronMask(path.text)) {
    findings.error(
      path,
      `Missing path before ${quotedWord(path.text)}: a line is PATH MASK COMMAND`,
    );
    return null;
  }
  if (mask === null) {
    findings.error(
      path,
      `Missing mask after ${quotedWord(path.text)}: name the events, e.g. IN_CLOSE_WRITE`,
    );
    return null;
  }
  if (isRestOfPath(line)) {
    findings.error(
      mask,
      `Unknown name ${quotedWord(mask.text)}: a path with blanks needs a backslash before each of them, or quotes`,
    );
    return null;
  }
  const watched = watchOf(path, findings);
  const read = readIncronMask(mask, findings);
  if (command === null)
    findings.error(
      mask,
      `Missing command after ${quotedWord(mask.text)}: write the program's path and its arguments`,
    );
  const words = command === null ? null : readIncronCommand(command, programs, findings);
  if (read === null || words === null || watched === null) return null;
  const rule = {
    name,
    watch: [{ ...watched, ...read.watch }],
    backend: "inotify" as const, // record for record as incron sees them
    condition: namesOf(read.events).map((name) => {
      return { groups: [eventBits[name]], children: true, directories: true };
    }),
    command: words,
    ...(runAs === null ? {} : { runAs }),
    ...read.rule,
  };
  const places = { head: path, name: null, watch: [path], on: mask, program: command, user: null };
  return { rule, places, isNamed: false };
}

/** `/srv/my files IN_CREATE cmd`: no mask where it should be, and one behind it. */
function isRestOfPath({ mask, command }: IncronLine): boolean {
  const next = command?.text.split(/[ \t]/) ?? [];
  return mask !== null && !/^(IN_|\d)/.test(mask.text) && next.some(isIncronMask);
}

function watchOf(path: PathPiece, findings: Findings): { path: Uint8Array; isGlob?: true } | null {
  const { pattern } = path;
  if (!pattern.startsWith("/")) {
    findings.error(
      path,
      `Cannot watch ${quotedWord(path.text)}: the path is relative; write it from / on`,
    );
    return null;
  }
  if (!isPattern(pattern)) return { path: absolutePath(withoutEscapes(pattern), "/") };
  if (pattern.includes("**")) {
    findings.error(
      path,
      'Cannot use "**": a table follows directories down anyway; write the directory above',
    );
    return null;
  }
  const components = pattern.split("/").filter((one) => one !== "" && one !== ".");
  return { path: fromLatin1(`/${components.join("/")}`), isGlob: true };
}
