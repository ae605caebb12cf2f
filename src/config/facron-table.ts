/** The facron table: one rule per line, `PATH MASK COMMAND`, as facron 1.1 reads it. */
import { basename } from "./odd-paths.ts";
import { latin1, pathBytes } from "../../ffi/bytes.ts";
import { readCommand } from "./facron-command.ts";
import { skipBlanks, splitFields, type Field } from "./facron-fields.ts";
import { layoutMistake } from "./facron-layout.ts";
import { readMask } from "./facron-mask.ts";
import { Findings } from "./findings.ts";
import { Programs } from "./programs.ts";
import type { Parsed, PlacedRule, Source } from "./source.ts";
import { byteOrderMarkLength, type Span } from "./span.ts";
import { absolutePath } from "./watch-path.ts";

/**
 * The rules of a table, in the order of its lines.
 *
 * @throws {ConfigError} with everything that is wrong in it
 */
export function parseFacronTable(source: Source): Parsed {
  const table: Table = {
    name: basename(source.file).toWellFormed(),
    cwd: latin1(pathBytes(source.cwd)),
    programs: new Programs(source.cwd),
    findings: new Findings(source),
  };
  const rules: PlacedRule[] = [];
  for (const line of linesOf(source.bytes)) {
    const rule = isInUse(line, table.findings) ? ruleOf(line, table) : null;
    if (rule !== null) rules.push(rule);
  }
  table.findings.throwErrors();
  return { rules, includes: [], settings: {} };
}

interface Table {
  readonly name: string;
  /** One char for one byte. */
  readonly cwd: string;
  readonly programs: Programs;
  readonly findings: Findings;
}

interface Line {
  /** From 1. */
  readonly number: number;
  /** Where it starts in the source. */
  readonly from: number;
  /** Without its newline; one char for one byte, so that bytes that are not UTF-8 survive. */
  readonly text: string;
}

function* linesOf(bytes: Uint8Array): Generator<Line> {
  const text = latin1(bytes);
  let from = byteOrderMarkLength(bytes);
  for (let number = 1; from < text.length; number++) {
    const newline = text.indexOf("\n", from);
    const to = newline === -1 ? text.length : newline;
    yield { number, from, text: text.slice(from, to) };
    from = to + 1;
  }
}

/** Not blank, no comment, not disabled: facron 1.1 skips a line that starts with a blank. */
function isInUse({ from, text }: Line, findings: Findings): boolean {
  const nul = text.indexOf("\0");
  if (nul !== -1) {
    const cure = "no path or argument can hold one; save the file as plain text (UTF-8)";
    findings.error({ from: from + nul, length: 1 }, `Unexpected NUL byte: ${cure}`);
    return false;
  }
  const first = skipBlanks(text, 0);
  if (first === text.length || text[first] === "#") return false;
  if (first === 0) return true;
  const cure = 'remove the blank to use it, or start it with "#"';
  const span = { from: from + first, length: text.length - first };
  findings.warning(span, `Line is disabled: it starts with a blank; ${cure}`);
  return false;
}

/** Null if it can't be told; whatever is wrong with the line, the findings have, and no rule counts. */
function ruleOf(line: Line, table: Table): PlacedRule | null {
  const { findings } = table;
  const { fields, openQuote } = splitFields(line.text, line.from);
  const mistake = layoutMistake({ fields, openQuote });
  const rule = mistake === null ? ruleFrom(fields, `${table.name}:${line.number}`, table) : null;
  if (mistake !== null) findings.error(mistake.span, mistake.message);
  if (openQuote !== null) findings.error(openQuote, openQuoteMessage(line, openQuote));
  return rule;
}

function openQuoteMessage(line: Line, openQuote: Span): string {
  const quote = line.text[openQuote.from - line.from]!;
  return `Missing closing quote ${quote}: add it where the word ends, or leave this one out`;
}

/** Null if there is no path or mask to speak of. */
function ruleFrom(fields: readonly Field[], name: string, table: Table): PlacedRule | null {
  const { cwd, programs, findings } = table;
  const [path, maskField, ...words] = fields;
  if (path === undefined || maskField === undefined) return null;
  if (path.text === "") findings.error(path, 'Cannot watch "": the path is empty; write one');
  const mask = readMask(maskField, findings);
  const command = readCommand(words, { mask: maskField, programs, findings });
  if (mask === null) return null;
  const watch = [{ path: absolutePath(path.text, cwd), recursive: false }];
  const [program = null] = words;
  const places = { head: path, name: null, watch: [path], on: maskField, program, user: null };
  return { rule: { name, watch, ...mask, command }, places, isNamed: false };
}
