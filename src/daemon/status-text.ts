/** What facron tells of itself, as people read it: the lines of SIGUSR2, and their words and numbers. */
import { printable, quoted } from "../log.ts";
import { counted } from "./report.ts";
import type {
  BackendInStatus,
  GateInStatus,
  GatesInStatus,
  ReaderInStatus,
  RuleInStatus,
  StatusDocument,
} from "./status-document.ts";

/** For the log: one line for facron, one for what it watches, one for each rule. */
export function summaryOf(document: StatusDocument): string[] {
  const { facron, pid, since, rules, reader, gates } = document;
  return [
    `status: facron ${facron}, pid ${pid}, since ${since}: ${commandsText(document)}`,
    ...journalLines(document).map((line) => `status: ${line}`),
    ...readerLines(reader).map((line) => `status: ${line}`),
    ...rules.map((rule) => `status: rule ${quoted(rule.name)}: ${ruleText(rule)}`),
    ...gatesLines(gates).map((line) => `status: ${line}`),
    ...(gates?.list ?? []).map((gate) => `status: gate ${quoted(gate.name)}: ${gateText(gate)}`),
  ];
}

/** "3 of 16 commands running, 12 events queued" */
export function commandsText({ running, max_running: max, queued }: StatusDocument): string {
  return `${running} of ${max} commands running, ${counted(queued, "event")} queued`;
}

/** "journal: 12 events kept, 3 of them running, 4 given up"; none if there is no journal. */
export function journalLines({ journal }: StatusDocument): string[] {
  if (journal === null) return [];
  const { kept, running, dead } = journal;
  if (kept === null) return [`the journal ${quoted(journal.file)} does not answer`];
  const runs = running === 0 ? "" : `, ${running} of them running`;
  const died = dead === 0 ? "" : `, ${dead} given up`;
  return [`journal: ${counted(kept, "event")} kept${runs}${died}`];
}

/** What does not need to be said is left out. */
export function readerLines(reader: ReaderInStatus): string[] {
  const { backends, unwatched, missing } = reader;
  const trouble = troubleOf(reader);
  const short = unwatched > 0 ? `, ${unwatched} not watched, as a limit is reached` : "";
  const waiting = missing > 0 ? `, ${counted(missing, "path")} not there yet` : "";
  const rest = `${short}${waiting}`.slice(2);
  return [
    ...(trouble === null ? [] : [trouble]),
    ...backends.map(backendText),
    ...(rest === "" ? [] : [rest]),
  ];
}

function backendText({ name, paths, marks, events, overflows }: BackendInStatus): string {
  const watched = counted(paths, "path");
  if (name === "poll") return `polling ${watched}, ${counted(marks, "entry")}`;
  const lost = overflows === 0 ? "" : `, ${counted(overflows!, "overflow")}`;
  return `${name} ${watched}, ${counted(marks, "mark")}, ${counted(events!, "event")}${lost}`;
}

function troubleOf({ state, waits_for: path, as_of: time }: ReaderInStatus): string | null {
  const known = time === null ? "" : `; what follows is of ${time}`;
  switch (state) {
    case "reading":
    case "ended":
      return null;
    case "held back":
      return "reading no more for now: what is read has nowhere to go";
    case "no answer":
      return path === null
        ? `the reader does not answer${known}`
        : `the reader does not answer, as it waits for the filesystem of ${quoted(path)}${known}`;
  }
}

/** What does not need to be said is left out. */
export function gatesLines(gates: GatesInStatus | null): string[] {
  if (gates === null) return [];
  const { state, as_of: time, passed_over: passed } = gates;
  const known = time === null ? "" : `; what follows of gates is of ${time}`;
  return [
    ...(state === "deciding" ? [] : [`the gate thread does not answer${known}`]),
    ...(passed === 0 ? [] : [`the guard allowed ${counted(passed, "question")} in its place`]),
  ];
}

function gateText(gate: GateInStatus): string {
  const counts = [
    `${gate.allowed} allowed`,
    `${gate.denied} denied`,
    ...rareGateCounts
      .filter((key) => gate[key] > 0)
      .map((key) => `${gate[key]} ${gateCountText(key)}`),
  ];
  const { ran_ms: ran, runs } = gate;
  const runsText = runs === 0 ? "" : `, ${counted(runs, "run")}`;
  return `${counts.join(", ")}${runsText}${ran.p50 === null ? "" : `; ran ${percentilesText(ran)}`}`;
}

/** What is almost always 0, or for gates that ask only. */
export const rareGateCounts = [
  "cached",
  "waiting",
  "timed_out",
  "failed",
] as const satisfies (keyof GateInStatus)[];

export function gateCountText(key: (typeof rareGateCounts)[number]): string {
  return key === "cached" ? "from cache" : key.replace("_", " ");
}

function ruleText(rule: RuleInStatus): string {
  if (!rule.runs_command) return `${counted(rule.events, "event")}, no command`;
  const { last, waited_ms: waited, ran_ms: ran } = rule;
  const counts = [
    counted(rule.events, "event"),
    counted(rule.runs, "run"),
    `${rule.running} running`,
    `${rule.queued} queued`,
    ...rareCounts.filter((key) => rule[key] > 0).map((key) => `${rule[key]} ${key}`),
  ];
  const ended = last === null ? "" : `; last ${printable(last.how)}`;
  const waits = waited.p50 === null ? "" : `; waited ${percentilesText(waited)}`;
  const runs = ran.p50 === null ? "" : `; ran ${percentilesText(ran)}`;
  return `${counts.join(", ")}${ended}${waits}${runs}`;
}

/** What is almost always 0. */
export const rareCounts = [
  "retrying",
  "failed",
  "retried",
  "dropped",
  "skipped",
  "own",
  "suspended",
] as const satisfies (keyof RuleInStatus)[];

/** "1.2ms, p99 3.4s" */
function percentilesText({ p50, p99 }: RuleInStatus["ran_ms"]): string {
  return `${spanText(p50)}, p99 ${spanText(p99)}`;
}

const spans = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** Two digits: "0.35ms", "12ms", "1.5s", "3.2h". @param ms null: there is none, "-" */
export function spanText(ms: number | null): string {
  if (ms === null) return "-";
  const [unit, size] = spans.find(([, one]) => ms >= one) ?? ["ms", 1];
  const value = ms / size;
  return `${Number(value.toPrecision(value >= 100 ? 3 : 2))}${unit}`;
}
