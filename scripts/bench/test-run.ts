/** Tests as a section: run with the full numbers, and what they report made into tables. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { spawnTracked } from "./consumer.ts";
import type { Backend } from "./contender.ts";
import { Table } from "./table.ts";
import { tell } from "./tell.ts";
import type { Workspace } from "./workspace.ts";

/** One line of the file that FACRON_TEST_REPORT names (test/helpers/report.ts). */
const reported = z.object({
  table: z.string(),
  row: z.string(),
  values: z.record(z.string(), z.number()),
});

type Reported = z.infer<typeof reported>;

export interface TestRun {
  /** Begins the ids of its tables. */
  readonly id: string;
  /** Directory or file below the root of the project. */
  readonly tests: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** What failed is on stderr, as the tests say it; the numbers are in the tables all the same. */
export async function tablesOfTests(
  workspace: Workspace,
  { id, tests, environment }: TestRun,
): Promise<Table[]> {
  const file = join(workspace.scratch, `report-${id}`);
  tell(`${id}: bun test ${tests}`);
  const child = spawnTracked([process.execPath, "test", tests, "--timeout", "3600000"], {
    cwd: resolve(import.meta.dir, "../.."),
    env: { ...process.env, ...environment, FACRON_TEST_REPORT: file },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
  });
  const status = await child.exited;
  if (status !== 0) tell(`${id}: some tests failed`);
  const lines = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  return tablesOf(
    id,
    lines.map((line) => reported.parse(JSON.parse(line))),
  );
}

function tablesOf(id: string, all: readonly Reported[]): Table[] {
  const byTitle = Map.groupBy(all, ({ table }) => table);
  return [...byTitle].map(([title, rows], at) => {
    const [first, ...others] = columnsOf(rows);
    const table = new Table(`${id}-${at}`, { title, columns: [first!, ...others] });
    for (const { row, values } of rows) table.add(nameOf(row), values);
    return table;
  });
}

/** In the order in which they are reported first. */
function columnsOf(rows: readonly Reported[]) {
  const keys = new Set(rows.flatMap(({ values }) => Object.keys(values)));
  return [...keys].map((key) => ({ key, title: key, digits: 0, show: "median" as const }));
}

function nameOf(row: string) {
  const backend: Backend = row.includes("fanotify") ? "fanotify" : "inotify";
  return { name: row, role: "facron" as const, backend };
}
