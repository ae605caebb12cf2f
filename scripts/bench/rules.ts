/** Rules: ten of them against ten thousand, on paths of their own; and what an event costs with them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Backend, Contender } from "./contender.ts";
import { drainOnce } from "./drain.ts";
import { measureFloor, runFloor, timesReport } from "./floor.ts";
import { facronTable, facronWithTable, tableMask } from "./ours.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { median } from "./stats.ts";
import { largeQueuedEvents, setQueuedEventsMax } from "./sysctl.ts";
import { Table } from "./table.ts";
import { freshDirectory } from "./workspace.ts";

export const manyRules = 10_000;

const starts = 5;

/** Events on one path, while all other rules watch others. */
const events = 200_000;

export const rules: Section = {
  name: "rules",
  async run(bench) {
    return [await startAndReload(bench), await matching(bench)];
  },
};

async function startAndReload(bench: Bench): Promise<Table> {
  const table = new Table("rules", {
    title: `Rules: check, start to ready and reload of 10 and ${manyRules} rules, ms`,
    columns: [
      { key: "checkMs", title: "check", digits: 0, show: "spread" },
      { key: "readyMs", title: "ready", digits: 0, show: "spread" },
      { key: "reloadMs", title: "reload", digits: 0, show: "spread" },
    ],
  });
  await interleave(bench, table, {
    contenders: contenders(),
    measure: (one) => measure(bench, one),
  });
  return table;
}

async function matching(bench: Bench): Promise<Table> {
  setQueuedEventsMax(largeQueuedEvents);
  const table = new Table("matching", {
    title: `Matching: ${events} close_write queued on the path of one rule, beside 9 and ${manyRules - 1}`,
    columns: [
      { key: "cpu", title: "CPU us/line", digits: 2, show: "spread" },
      { key: "rate", title: "lines/s", digits: 0, show: "median" },
      { key: "lost", title: "lines lost", digits: 0, show: "sum" },
    ],
  });
  await interleave(bench, table, {
    contenders: contenders(),
    measure: (contender) =>
      drainOnce(bench, contender, {
        events: "close_write",
        lines: events,
        produce: (directory) =>
          runFloor(bench.workspace, ["produce-names", directory, 0, events, 0]),
      }),
  });
  return table;
}

function contenders(): Contender[] {
  const counts = [10, manyRules];
  return (["inotify", "fanotify"] as const).flatMap((backend) =>
    counts.map((count) => withRules(backend, count)),
  );
}

/** The first rule watches the directory, the others a directory each beside it. */
function withRules(backend: Backend, count: number): Contender {
  return {
    ...facronTable(backend),
    name: `facron ${backend}, ${count} rules`,
    command: ({ workspace, directory }) => {
      const others = freshDirectory(workspace);
      const paths = Array.from({ length: count - 1 }, (_, at) => join(others, `${at}`));
      for (const path of paths) mkdirSync(path);
      const lines = [directory, ...paths].map((path) => [path, tableMask(backend)]);
      return facronWithTable(workspace, lines);
    },
  };
}

async function measure(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  const { workspace } = bench;
  const directory = freshDirectory(workspace);
  const { argv, readyText = "" } = contender.command({
    workspace,
    directory,
    events: "close_write",
  });
  const words = ["time-ready", starts, readyText, ...argv];
  const { ns } = await measureFloor(workspace, words, { form: timesReport });
  const checks = Array.from({ length: starts }, () => checkMs(argv[0]!, argv.at(-1)!));
  const reloads = await reloadsMs(bench, contender);
  return { readyMs: median(ns) / 1e6, checkMs: median(checks), reloadMs: median(reloads) };
}

function checkMs(program: string, file: string): number {
  const start = performance.now();
  const { success } = Bun.spawnSync([program, "check", file]);
  if (!success) throw new Error("facron check refuses the table");
  return performance.now() - start;
}

/** From the signal to the log line that says it is done. */
async function reloadsMs(bench: Bench, contender: Contender): Promise<number[]> {
  return await whileWatching(bench, contender, {
    events: "close_write",
    act: async ({ consumer }) => {
      const times: number[] = [];
      for (let reload = 1; reload <= starts; reload++) {
        const start = performance.now();
        consumer.signal("SIGUSR1");
        await consumer.said("facron: reloaded", reload);
        times.push(performance.now() - start);
      }
      return times;
    },
  });
}
