/** What people read of a status: the table, which is that of the README, and its words. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { statusTable } from "../../src/cli/status-table.ts";
import type {
  GateInStatus,
  ReaderInStatus,
  RuleInStatus,
  StatusDocument,
} from "../../src/daemon/status-document.ts";
import {
  gatesLines,
  journalLines,
  readerLines,
  spanText,
  summaryOf,
} from "../../src/daemon/status-text.ts";
import { fencedBlocks } from "../examples/extract.ts";

const since = "2026-11-20T18:46:20.123Z";
const now = Date.parse(since) + 3.2 * 86_400_000;

const never = { p50: null, p99: null };
const rule: RuleInStatus = {
  ...{ name: "", runs_command: true, events: 0, runs: 0, running: 0, queued: 0, retrying: 0 },
  ...{ failed: 0, retried: 0, dropped: 0, skipped: 0, own: 0, suspended: 0, last: null },
  ...{ waited_ms: never, ran_ms: never },
};

const gate: GateInStatus = {
  ...{ name: "", allowed: 0, denied: 0, cached: 0, timed_out: 0, failed: 0, waiting: 0 },
  ...{ runs: 0, running: 0, ran_ms: never },
};

function exited(code: number, agoMs: number): RuleInStatus["last"] {
  return { how: `exited ${code}`, at: new Date(now - agoMs).toISOString() };
}

const reader: ReaderInStatus = {
  ...{ state: "reading", waits_for: null, as_of: since, unwatched: 0, missing: 0 },
  backends: [{ name: "fanotify", paths: 3, marks: 1204, events: 48_211, overflows: 1 }],
};

const inReadme: StatusDocument = {
  ...{ v: 1, facron: "2.0.0", pid: 4234, state: "running", since },
  ...{ configuration: ["/etc/facron.toml"], running: 3, max_running: 16, queued: 12 },
  total: { events: 9548, runs: 9026, failed: 4, retried: 0, dropped: 0 },
  rules: [
    {
      ...{ ...rule, name: "reload nginx", events: 7, runs: 7, last: exited(0, 2.1 * 3_600_000) },
      ...{ waited_ms: { p50: 1.2, p99: 3.4 }, ran_ms: { p50: 31, p99: 45 } },
    },
    {
      ...{ ...rule, name: "import", events: 9034, runs: 9019, running: 3, queued: 12, failed: 4 },
      last: exited(0, 1100),
      ...{ waited_ms: { p50: 18, p99: 4800 }, ran_ms: { p50: 240, p99: 1300 } },
    },
    { ...rule, name: "facron.toml:9", runs_command: false, events: 507 },
  ],
  reader,
  output: null,
  journal: { file: "/var/lib/facron/facron.toml-1a2b3c4d.journal", kept: 15, running: 3, dead: 4 },
  gates: {
    ...{ state: "deciding", as_of: since, passed_over: 0 },
    list: [
      { ...gate, name: "no programs", allowed: 12, denied: 3 },
      {
        ...{ ...gate, name: "scan", allowed: 90_211, denied: 2, cached: 88_100, waiting: 1 },
        ...{ runs: 2114, running: 1, ran_ms: { p50: 8.4, p99: 210 } },
      },
    ],
  },
};

test("the README shows what facron status prints", () => {
  const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
  const block = fencedBlocks(readme).find(({ lines }) => lines[0] === "$ facron status")!;
  const shown = `${block.lines.slice(1).join("\n")}\n`;
  expect(shown).toBe(statusTable(inReadme, now));
});

test("no name in a status drives the terminal or makes a line of its own", () => {
  const wicked = "\x1b[31m\n\u009b2J\u202e";
  const document: StatusDocument = {
    ...{ ...inReadme, facron: wicked },
    configuration: [`/${wicked}`],
    rules: [{ ...rule, name: wicked, last: { how: wicked, at: since } }],
    reader: { ...reader, state: "no answer", waits_for: wicked },
  };
  const summary = summaryOf({ ...document, facron: "2.0.0" }).join("\n"); // which is its own
  for (const text of [statusTable(document, now), summary]) {
    expect(text).not.toMatch(/[\x1b\u009b\u202e]/);
    expect(text.split("\n").every((line) => !line.startsWith("2J"))).toBe(true);
    expect(text).toContain("\\x1b[31m\\n");
  }
});

test("a journal that does not answer is told, and one that is empty", () => {
  const file = "/var/lib/facron/a.journal";
  const lines = (journal: StatusDocument["journal"]) => journalLines({ ...inReadme, journal });
  expect(lines({ file, kept: null, running: null, dead: null })).toEqual([
    `the journal "${file}" does not answer`,
  ]);
  expect(lines({ file, kept: 0, running: 0, dead: 0 })).toEqual(["journal: 0 events kept"]);
  expect(lines(null)).toEqual([]);
});

test("a rule that is gone and one that has run nothing are told as that", () => {
  const rules = [{ ...rule, name: "a", removed: true as const }];
  const table = statusTable({ ...inReadme, rules }, now);
  expect(table).toMatch(/^ {2}a \(removed\) +0 +0 +0 +0 +- +- +- +- +-$/m);
  expect(table).not.toContain("all");
  expect(statusTable({ ...inReadme, rules: [] }, now)).not.toContain("RULE");
});

test("what is wrong with the reader comes first, in a sentence", () => {
  const lines = (change: Partial<ReaderInStatus>) => readerLines({ ...reader, ...change });
  const usual = lines({});
  expect(usual).toEqual(["fanotify 3 paths, 1204 marks, 48211 events, 1 overflow"]);
  expect(lines({ state: "no answer" })[0]).toBe(
    `the reader does not answer; what follows is of ${since}`,
  );
  expect(lines({ state: "no answer", waits_for: "/srv/nfs", as_of: null, backends: [] })).toEqual([
    'the reader does not answer, as it waits for the filesystem of "/srv/nfs"',
  ]);
  expect(lines({ state: "held back" })).toEqual([
    "reading no more for now: what is read has nowhere to go",
    ...usual,
  ]);
  expect(lines({ unwatched: 2, missing: 1 })).toEqual([
    ...usual,
    "2 not watched, as a limit is reached, 1 path not there yet",
  ]);
  expect(lines({ backends: [{ name: "poll", paths: 1, marks: 1 }] })).toEqual([
    "polling 1 path, 1 entry",
  ]);
});

test("gates are told of in one line each, and that their thread does not answer", () => {
  const ofGates = summaryOf(inReadme).filter((line) => line.startsWith("status: gate "));
  expect(ofGates).toEqual([
    'status: gate "no programs": 12 allowed, 3 denied',
    'status: gate "scan": 90211 allowed, 2 denied, 88100 from cache, 1 waiting, 2114 runs; ran 8.4ms, p99 210ms',
  ]);
  expect(gatesLines(null)).toEqual([]);
  expect(gatesLines({ state: "no answer", as_of: since, passed_over: 2, list: [] })).toEqual([
    `the gate thread does not answer; what follows of gates is of ${since}`,
    "the guard allowed 2 questions in its place",
  ]);
});

test.each([
  [null, "-"],
  [0.01, "0.01ms"],
  [1.26, "1.3ms"],
  [12.6, "13ms"],
  [999, "999ms"],
  [1000, "1s"],
  [59_999, "60s"],
  [90_000, "1.5m"],
  [3_600_000, "1h"],
  [400 * 86_400_000, "400d"],
])("a span of %p ms is %p", (ms, text) => {
  expect(spanText(ms)).toBe(text);
});
