/** incron's tables: `PATH MASK COMMAND` as incrontab(5) has them, with what 0.5.12 makes of them. */
import { basename } from "./odd-paths.ts";
import { fromLatin1, latin1, lossyText } from "../../ffi/bytes.ts";
import { eventBits, namesOf } from "../event.ts";
import type { Alternative, WatchPath } from "../rule/rule.ts";
import { Findings, quotedWord } from "./findings.ts";
import { withoutEscapes } from "./glob-path.ts";
import { readIncronCommand } from "./incron-command.ts";
import { type Field, type IncronFields, type PathField, splitIncronLine } from "./incron-fields.ts";
import { type IncronMask, readIncronMask } from "./incron-mask.ts";
import { defaultPolicy, type Policy } from "../rule/policy.ts";
import { syntaxMistakeInPath } from "./pattern-syntax.ts";
import { Programs } from "./programs.ts";
import type { Parsed, PlacedRule, Source } from "./source.ts";
import { byteOrderMarkLength } from "./span.ts";
import { absolutePath } from "./watch-path.ts";

/**
 * The rules of a table, in the order of its lines.
 *
 * Other than in incron every line counts, also when its path is there twice, and a line that is wrong
 * is an error, and not one that watches for nothing.
 *
 * @throws {ConfigError} with everything that is wrong in it
 */
export function parseIncronTable(source: Source): Parsed {
  const table: Table = {
    name: basename(source.file).toWellFormed(),
    programs: new Programs(source.cwd),
    findings: new Findings(source),
  };
  const rules: PlacedRule[] = [];
  for (const line of linesOf(source.bytes)) {
    const rule = ruleOf(line, table);
    if (rule !== null) rules.push(rule);
  }
  table.findings.throwErrors();
  return { rules, gates: [], includes: [], settings: {} };
}

/** `loopable=false`, its default: what happens while the command runs starts no other. */
const oneAtATime: Policy = { ...defaultPolicy, order: "rule", whenBusy: "skip" };

interface Table {
  readonly name: string;
  readonly programs: Programs;
  readonly findings: Findings;
}

interface Line {
  /** From 1. */
  readonly number: number;
  /** Where it starts in the source. */
  readonly from: number;
  /** Without its end; one char for one byte. */
  readonly text: string;
}

function* linesOf(bytes: Uint8Array): Generator<Line> {
  const text = latin1(bytes);
  let from = byteOrderMarkLength(bytes);
  for (let number = 1; from < text.length; number++) {
    const newline = text.indexOf("\n", from);
    const to = newline === -1 ? text.length : newline;
    const end = to > from && text[to - 1] === "\r" ? to - 1 : to;
    yield { number, from, text: text.slice(from, end) };
    from = to + 1;
  }
}

/** Null if the line is none; whatever is wrong with it, the findings have, and no rule counts. */
function ruleOf({ number, from, text }: Line, table: Table): PlacedRule | null {
  const { findings } = table;
  const nul = text.indexOf("\0");
  const fields = splitIncronLine(text, from);
  const { path, mask, command, openQuote } = fields;
  if (nul !== -1) {
    const cure = "no path or argument can hold one; save the file as plain text (UTF-8)";
    findings.error({ from: from + nul, length: 1 }, `Unexpected NUL byte: ${cure}`);
  } else if (openQuote !== null) {
    const quote = text[openQuote.from - from]!;
    findings.error(
      openQuote,
      `Missing closing quote ${quote}: add it where the path ends, or write a backslash before this one`,
    );
  } else if (path !== null) {
    const mistake = layoutMistake(fields);
    if (mistake === null)
      return ruleFrom({ path, mask: mask!, command: command! }, `${table.name}:${number}`, table);
    findings.error(mistake.field, mistake.message);
  }
  return null;
}

interface Mistake {
  readonly field: Field;
  readonly message: string;
}

/** What is wrong with the order of the fields; null if they may be path, mask and command. */
function layoutMistake({ path, mask, command }: IncronFields): Mistake | null {
  if (path === null) return null;
  if (looksLikeMask(path.text) && !looksLikeMask(mask?.text ?? "")) {
    const message = `Missing path before ${quotedWord(path.text)}: a line is PATH MASK COMMAND`;
    return { field: path, message };
  }
  if (mask === null) {
    const message = `Missing mask after ${quotedWord(path.text)}: name the events, e.g. IN_CLOSE_WRITE`;
    return { field: path, message };
  }
  const option = optionAfterMask(command);
  if (option !== null && option.length === command?.length) return unexpected(option);
  const masksLater = (command?.text ?? "").split(/[ \t]+/).some(looksLikeMask);
  if (masksLater && !/^(IN_|\d|[a-z]+=)/i.test(mask.text)) {
    const message = `Unknown event ${quotedWord(mask.text)}: a path with blanks needs quotes around it, or a backslash before each`;
    return { field: mask, message };
  }
  if (command === null) {
    const message = `Missing command after ${quotedWord(mask.text)}: write what to run, e.g. /usr/bin/import $@/$#`;
    return { field: mask, message };
  }
  if (!mask.text.endsWith(",") && !/^(,|IN_[A-Z_]+,|IN_[A-Z_]+[ \t])/.test(command.text))
    return null;
  const word = /^[^ \t]+/.exec(command.text)![0];
  return unexpected({ ...command, text: word, length: word.length });
}

function unexpected(field: Field): Mistake {
  const message = `Unexpected ${quotedWord(field.text)} after the mask: no blanks inside a mask; write it as one word, like IN_CREATE,IN_DELETE`;
  return { field, message };
}

/** An option of the mask that stands where the command starts: to the shell it is a variable of the command. */
function optionAfterMask(command: Field | null): Field | null {
  const word = /^(recursive|dotdirs|loopable)=(true|false)(?=[ \t]|$)/.exec(command?.text ?? "");
  return word === null ? null : { ...command!, text: word[0], length: word[0].length };
}

function looksLikeMask(text: string): boolean {
  return /^(IN_[A-Z_]+|[a-z]+=(true|false))(,|$)/.test(text);
}

interface Fields {
  readonly path: PathField;
  readonly mask: Field;
  readonly command: Field;
}

/** Null if there is something wrong with the command. */
function ruleFrom({ path, mask, command }: Fields, name: string, table: Table): PlacedRule | null {
  const { findings } = table;
  checkPath(path, findings);
  const what = readIncronMask(mask, findings);
  const option = optionAfterMask(command);
  if (option !== null) {
    const meant = quotedWord(`${mask.text},${option.text}`);
    const message = `Option ${option.text} after a blank is none: it sets a variable for the command, as in incron; write ${meant} without a blank`;
    findings.warning(option, message);
  }
  const run = readIncronCommand(command, table);
  if (run === null) return null;
  const watch = [watchOf(path, what)];
  const condition = namesOf(what.events).map((name): Alternative => {
    return { groups: [eventBits[name]], children: true, directories: true };
  });
  const program = { from: command.from, length: /^[^ \t]+/.exec(command.text)![0].length };
  const places = { head: path, name: null, watch: [path], on: mask, program, user: null };
  const rule = {
    ...{ name, watch, backend: "inotify" as const, condition, command: run },
    ...(what.skipsWhenBusy ? { policy: oneAtATime } : {}),
    ...(what.once ? { once: true } : {}),
  };
  return { rule, places, isNamed: false };
}

function checkPath(path: PathField, findings: Findings): void {
  if (!path.pattern.startsWith("/")) {
    const shown = quotedWord(withoutEscapes(path.pattern));
    findings.error(path, `Cannot watch ${shown}: the path is not absolute; start it with a slash`);
  } else if (path.isGlob && path.pattern.includes("**")) {
    findings.error(
      path,
      'Cannot use "**": write the directory above it; what is below counts anyway',
    );
  } else if (path.isGlob) {
    const mistake = syntaxMistakeInPath(lossyText(fromLatin1(path.pattern)));
    if (mistake !== null) findings.error(path, mistake.message);
  }
}

function watchOf({ pattern, isGlob }: PathField, mask: IncronMask): WatchPath {
  const path = isGlob ? pattern : withoutEscapes(pattern);
  return {
    path: absolutePath(path, "/"),
    recursive: mask.recursive,
    ...(isGlob ? { isGlob } : {}),
    ...(mask.recursive && mask.skipsDotDirectories ? { skipsDotDirectories: true } : {}),
    ...(mask.refusesSymlink ? { refusesSymlink: true } : {}),
    ...(mask.refusesFile ? { refusesFile: true } : {}),
  };
}
