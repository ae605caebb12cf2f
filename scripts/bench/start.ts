/** Start: from nothing to `facron: ready` with ten rules; and what it costs to do nothing. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./consumer.ts";
import type { Backend, Contender } from "./contender.ts";
import { facronTable, facronWithTable, tableMask } from "./ours.ts";
import { inotifywait } from "./peers.ts";
import { cpuReport, measureFloor, timesReport } from "./floor.ts";
import { cpuTicks, memoryOf } from "./process-info.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { median } from "./stats.ts";
import { Table } from "./table.ts";
import { freshDirectory, type Workspace } from "./workspace.ts";

const starts = 20;

const rules = 10;

/** The JIT and the collector come to rest before the clock runs. */
const settleMs = 2_000;

export const start: Section = {
  name: "start",
  async run(bench) {
    const table = new Table("start", {
      title: `Start: to ready with ${rules} directories, ms, ${starts} starts a run`,
      columns: [
        { key: "ms", title: "median", digits: 1, show: "spread" },
        { key: "slowestMs", title: "slowest", digits: 1, show: "spread" },
      ],
      peer: "inotifywait",
    });
    await interleave(bench, table, {
      contenders: [inotifywaitTen, tenRules("inotify"), tenRules("fanotify")],
      measure: (contender) => startOnce(bench, contender),
    });
    return [table];
  },
};

export const idle: Section = {
  name: "idle",
  async run(bench) {
    const table = new Table("idle", {
      title: `Idle: ${rules} rules, nothing happens for ${bench.idleSeconds} s`,
      columns: [
        { key: "ticks", title: "CPU ticks of 10 ms", digits: 0, show: "median" },
        { key: "cpuMs", title: "CPU ms", digits: 2, show: "median" },
        { key: "residentMiB", title: "resident MiB", digits: 1, show: "median" },
      ],
    });
    // At the same time: they do nothing.
    const measure = (contender: Contender) => idleOnce(bench, contender);
    await Promise.all(
      [tenRules("inotify"), tenRules("fanotify")].map((contender) =>
        interleave({ ...bench, runs: 1 }, table, { contenders: [contender], measure }),
      ),
    );
    return [table];
  },
};

/** facron with a table of ten lines, each with a directory of its own and a command. */
function tenRules(backend: Backend): Contender {
  return {
    ...facronTable(backend),
    command: ({ workspace, directory }) =>
      facronWithTable(
        workspace,
        tenDirectories(directory).map((path) => [path, tableMask(backend), workspace.stamp, "$$"]),
      ),
  };
}

const inotifywaitTen: Contender = {
  ...inotifywait("default"),
  command: ({ directory }) => ({
    argv: ["inotifywait", "-m", "-e", "close_write", ...tenDirectories(directory)],
    readyText: "Watches established.",
  }),
};

function tenDirectories(parent: string): string[] {
  const paths = Array.from({ length: rules }, (_, at) => join(parent, `${at}`));
  for (const path of paths) mkdirSync(path, { recursive: true });
  return paths;
}

async function startOnce(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  const { argv, readyText = "" } = startCommand(bench.workspace, contender);
  const measure = ["time-ready", starts, readyText, ...argv];
  const { ns } = await measureFloor(bench.workspace, measure, { form: timesReport });
  return { ms: median(ns) / 1e6, slowestMs: Math.max(...ns) / 1e6 };
}

function startCommand(workspace: Workspace, contender: Contender): Command {
  const directory = freshDirectory(workspace);
  return contender.command({ workspace, directory, events: "close_write" });
}

async function idleOnce(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  return await whileWatching(bench, contender, {
    events: "close_write",
    act: async ({ consumer: { pid } }) => {
      await Bun.sleep(settleMs);
      const before = { ticks: cpuTicks(pid), cpuMs: await cpuMs(bench, pid) };
      await Bun.sleep(bench.idleSeconds * 1_000);
      return {
        ticks: cpuTicks(pid) - before.ticks,
        cpuMs: (await cpuMs(bench, pid)) - before.cpuMs,
        residentMiB: memoryOf(pid).residentKiB / 1024,
      };
    },
  });
}

async function cpuMs({ workspace }: Bench, pid: number): Promise<number> {
  const { ns } = await measureFloor(workspace, ["cpu-time", pid], { form: cpuReport });
  return ns / 1e6;
}
