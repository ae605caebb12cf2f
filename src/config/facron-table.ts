/** The facron table: one rule or gate per line, `PATH MASK COMMAND`, as facron 1.1 reads it. */
import { basename } from "./odd-paths.ts";
import { latin1, pathBytes } from "../../ffi/bytes.ts";
import { defaultAsk } from "../rule/gate.ts";
import { readCommand } from "./facron-command.ts";
import { skipBlanks, splitFields, type Field } from "./facron-fields.ts";
import { layoutMistake } from "./facron-layout.ts";
import { readMask } from "./facron-mask.ts";
import { Findings, quotedWord } from "./findings.ts";
import { type GateMask, whyNoDirectories } from "./gate-mask.ts";
import { Programs } from "./programs.ts";
import type { Parsed, PlacedGate, PlacedRule, Source } from "./source.ts";
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
  const gates: PlacedGate[] = [];
  for (const line of linesOf(source.bytes)) {
    const placed = isInUse(line, table.findings) ? readLine(line, table) : null;
    if (placed === null) continue;
    if ("gate" in placed) gates.push(placed);
    else rules.push(placed);
  }
  table.findings.throwErrors();
  return { rules, gates, includes: [], settings: {} };
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
function readLine(line: Line, table: Table): PlacedRule | PlacedGate | null {
  const { findings } = table;
  const { fields, openQuote } = splitFields(line.text, line.from);
  const mistake = layoutMistake({ fields, openQuote });
  const placed =
    mistake === null ? placedFrom(fields, `${table.name}:${line.number}`, table) : null;
  if (mistake !== null) findings.error(mistake.span, mistake.message);
  if (openQuote !== null) findings.error(openQuote, openQuoteMessage(line, openQuote));
  return placed;
}

function openQuoteMessage(line: Line, openQuote: Span): string {
  const quote = line.text[openQuote.from - line.from]!;
  return `Missing closing quote ${quote}: add it where the word ends, or leave this one out`;
}

/** Null if there is no path or mask to speak of. */
function placedFrom(
  fields: readonly Field[],
  name: string,
  table: Table,
): PlacedRule | PlacedGate | null {
  const { cwd, programs, findings } = table;
  const [path, maskField, ...words] = fields;
  if (path === undefined || maskField === undefined) return null;
  if (path.text === "") findings.error(path, 'Cannot watch "": the path is empty; write one');
  const read = readMask(maskField, findings);
  const command = readCommand(words, { mask: maskField, programs, findings });
  if (read === null) return null;
  const watch = [{ path: absolutePath(path.text, cwd), recursive: false }];
  const [program = null] = words;
  const places = { head: path, name: null, watch: [path], on: maskField, program, user: null };
  if (read.kind === "rule")
    return { rule: { name, watch, ...read.mask, command }, places, isNamed: false };
  checkGate(read.mask, { mask: maskField, words, findings });
  if (command === null) return null;
  const decision = { kind: "ask", command, ...defaultAsk } as const;
  return { gate: { name, watch, ...read.mask, decision }, places, isNamed: false };
}

interface GateFields {
  readonly mask: Field;
  readonly words: readonly Field[];
  readonly findings: Findings;
}

function checkGate({ events, directories }: GateMask, { mask, words, findings }: GateFields): void {
  const never = directories ? whyNoDirectories(events) : null;
  if (never !== null)
    findings.error(mask, `Cannot use FAN_ONDIR here: ${never}; leave it out, or write two lines`);
  if (words.length === 0)
    findings.error(
      mask,
      `Missing command after ${quotedWord(mask.text)}: it decides, by exit status 0, whether that is allowed; add one, e.g. /usr/local/bin/may-open $$`,
    );
  for (const word of words)
    if (counters.has(word.text))
      findings.error(
        word,
        `Cannot use ${quotedWord(word.text)} in a gate: its answers are kept, and a count of its runs says nothing; leave it out`,
      );
}

const counters: ReadonlySet<string> = new Set(["$+", "$-", "$="]);
