/** `facron status` for people: a few lines for each facron, and a table of its rules. */
import type { GateInStatus, RuleInStatus, StatusDocument } from "../daemon/status-document.ts";
import {
  commandsText,
  gateCountText,
  gatesLines,
  journalLines,
  rareCounts,
  rareGateCounts,
  readerLines,
  spanText,
} from "../daemon/status-text.ts";
import { printable } from "../log.ts";

/** One line of cells; numbers stand on the right. */
type Row = readonly string[];

/** @param now milliseconds since 1970 */
export function statusTable(document: StatusDocument, now: number): string {
  const { facron, pid, state, since, configuration, reader, rules, gates } = document;
  const ageMs = Math.max(now - Date.parse(since), 0);
  const lines = [
    `facron ${facron}, pid ${pid}, ${state} since ${since} (${spanText(ageMs)})`,
    ...configuration.map((file) => `  ${file}`),
    `  ${commandsText(document)}`,
    ...journalLines(document).map((line) => `  ${line}`),
    ...readerLines(reader).map((line) => `  ${line}`),
    ...gatesLines(gates).map((line) => `  ${line}`),
    ...(rules.length === 0 ? [] : ["", ...rulesTable(document, now)]),
    ...(gates === null || gates.list.length === 0 ? [] : ["", ...gatesTable(gates.list)]),
  ];
  return lines.map((line) => `${printable(line)}\n`).join(""); // whoever made the socket said it
}

function rulesTable({ rules, total }: StatusDocument, now: number): string[] {
  const rare = rareCounts.filter((key) => rules.some((rule) => rule[key] > 0));
  const heads = ["events", "runs", "running", "queued", ...rare, "waited", "p99", "ran", "p99"];
  const rows = rules.map((rule) => rowOf(rule, rare, now));
  const sum = sumOf(rules, total, rare);
  return aligned([["RULE", ...heads.map((head) => head.toUpperCase()), "LAST"], ...rows, ...sum]);
}

function rowOf(rule: RuleInStatus, rare: (typeof rareCounts)[number][], now: number): Row {
  const { last, waited_ms: waited, ran_ms: ran } = rule;
  const name = printable(rule.name) + (rule.removed === true ? " (removed)" : "");
  if (!rule.runs_command)
    return [name, String(rule.events), ...Array(7 + rare.length).fill("-"), "no command"];
  const counts = [
    rule.events,
    rule.runs,
    rule.running,
    rule.queued,
    ...rare.map((key) => rule[key]),
  ];
  const spans = [waited.p50, waited.p99, ran.p50, ran.p99].map(spanText);
  return [name, ...counts.map(String), ...spans, last === null ? "-" : lastText(last, now)];
}

function lastText({ how, at }: NonNullable<RuleInStatus["last"]>, now: number): string {
  return `${printable(how)}, ${spanText(Math.max(now - Date.parse(at), 0))} ago`;
}

/** Of one rule alone there is none. */
function sumOf(
  rules: readonly RuleInStatus[],
  { events, runs }: StatusDocument["total"],
  rare: readonly (typeof rareCounts)[number][],
): Row[] {
  if (rules.length < 2) return [];
  const present = (["running", "queued", ...rare] as const).map((key) =>
    rules.reduce((sum, rule) => sum + rule[key], 0),
  );
  return [["all", ...[events, runs, ...present].map(String), "", "", "", "", ""]];
}

/** RUNS and what is behind it are of commands. */
function gatesTable(gates: readonly GateInStatus[]): string[] {
  const rare = rareGateCounts.filter((key) => gates.some((gate) => gate[key] > 0));
  const asks = gates.some(({ runs }) => runs > 0);
  const heads = ["allowed", "denied", ...rare.map(gateCountText)];
  const all = [...heads, ...(asks ? ["runs", "ran", "p99"] : [])];
  const rows = gates.map((gate): Row => {
    const counts = [gate.allowed, gate.denied, ...rare.map((key) => gate[key])];
    const { runs, ran_ms: ran } = gate;
    const ofCommand = runs === 0 ? ["-", "-", "-"] : [runs, spanText(ran.p50), spanText(ran.p99)];
    return [printable(gate.name), ...[...counts, ...(asks ? ofCommand : [])].map(String), ""];
  });
  return aligned([["GATE", ...all.map((head) => head.toUpperCase()), ""], ...rows]);
}

/** The first column and the last stand on the left. */
function aligned(rows: readonly Row[]): string[] {
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => Bun.stringWidth(row[at]!))));
  return rows.map((row) => {
    const cells = row.map((cell, at) => {
      const space = " ".repeat(widths[at]! - Bun.stringWidth(cell));
      return at === 0 || at === row.length - 1 ? cell + space : space + cell;
    });
    return `  ${cells.join("  ")}`.trimEnd();
  });
}
