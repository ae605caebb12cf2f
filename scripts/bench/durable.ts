/** Durable: what a journal costs, and SIGKILL at random moments while it is busy. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { newSeed } from "../../test/contract/random.ts";
import { burstFiles } from "./burst.ts";
import { type Contender, writeConfig } from "./contender.ts";
import { measureFloor, ranReport } from "./floor.ts";
import { killDurable } from "./kill-durable.ts";
import { makeFifo } from "./pipe.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { Table } from "./table.ts";
import { tell } from "./tell.ts";

const kills = 200;
const triggers = 20_000;

/** As in the bursts of others. */
const idleMs = 5_000;
const burstsPerRun = 3;

export const durable: Section = {
  name: "durable",
  run: async (bench) => [await cost(bench), await killed(bench)],
};

async function cost(bench: Bench): Promise<Table> {
  const table = new Table("durable-cost", {
    title: `Durable: ${burstFiles} files closed at once, us for each from the first close to the last main()`,
    columns: [
      { key: "us", title: "us a trigger", digits: 0, show: "spread" },
      { key: "lost", title: "not run", digits: 0, show: "sum" },
      { key: "extra", title: "run twice", digits: 0, show: "sum" },
    ],
    peer: plain.name,
  });
  await interleave({ ...bench, runs: bench.runs * burstsPerRun }, table, {
    contenders: [plain, kept],
    measure: (contender) => burstOnce(bench, contender),
  });
  return table;
}

const plain = contender("not durable", "");
const kept = contender("durable", "durable = true");

function contender(name: string, key: string): Contender {
  return {
    name: `facron, ${name}`,
    role: "facron",
    program: "facron",
    backend: "inotify",
    command: ({ workspace, directory, fifo = "" }) => {
      const state = mkdtempSync(join(workspace.scratch, "state-"));
      const text = [
        ...["[facron]", `state_dir = ${JSON.stringify(state)}`, "[[rule]]", 'name = "burst"'],
        ...[`watch = ${JSON.stringify(directory)}`, 'on = "IN_CLOSE_WRITE"', key],
        `run = [${JSON.stringify(workspace.stamp)}, ${JSON.stringify(fifo)}, "{path}"]`,
      ].join("\n");
      const config = writeConfig(workspace, "facron.toml", text);
      return { argv: [workspace.facron!, "--config", config], readyText: "facron: ready" };
    },
  };
}

async function burstOnce(bench: Bench, one: Contender): Promise<Record<string, number>> {
  const fifo = makeFifo(bench.workspace);
  return await whileWatching(bench, one, {
    events: "close_write",
    fifo,
    act: async ({ directory }) => {
      const measure = ["burst", directory, fifo, burstFiles, idleMs];
      const { ran, extra, ns } = await measureFloor(bench.workspace, measure, { form: ranReport });
      return { us: ns / 1e3 / ran, lost: burstFiles - ran, extra };
    },
  });
}

async function killed({ workspace }: Bench): Promise<Table> {
  const table = new Table("durable-kill", {
    title: `Durable: SIGKILL ${kills} times at random moments during ${triggers} triggers`,
    columns: [
      { key: "missing", title: "not run", digits: 0, show: "sum" },
      { key: "repeats", title: "run again", digits: 0, show: "sum" },
      { key: "left", title: "left in the queue", digits: 0, show: "sum" },
      { key: "damaged", title: "journal damaged", digits: 0, show: "sum" },
      { key: "seconds", title: "s", digits: 0, show: "median" },
    ],
  });
  const row = { name: "facron", role: "facron", backend: "fanotify" } as const;
  if (workspace.facron === undefined) {
    table.note(row, "not built: bun run build");
    return table;
  }
  const directory = join(workspace.scratch, "killed");
  mkdirSync(directory);
  const { integrity, ...values } = await killDurable({
    ...{ facron: workspace.facron, directory, kills, triggers, seed: newSeed() },
    progress: (text) => tell(`durable-kill: ${text}`),
  });
  rmSync(directory, { recursive: true });
  table.add(row, { ...values, damaged: integrity === "ok" ? 0 : 1 });
  return table;
}
