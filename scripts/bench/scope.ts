/** Scope: what watching costs those who write elsewhere on the same filesystem. */
import { join } from "node:path";
import { mkdirSync } from "node:fs";
import { Consumer } from "./consumer.ts";
import type { Contender } from "./contender.ts";
import { runFloor } from "./floor.ts";
import { facronFilesystem, facronStream } from "./ours.ts";
import { cpuTicks } from "./process-info.ts";
import { type Bench, interleave, type Section } from "./section.ts";
import { Table } from "./table.ts";
import { recursive } from "./tree.ts";
import { freshDirectory, removeTree } from "./workspace.ts";

/** Each is an open, a write and a close: far more than one queue holds. */
const cycles = 300_000;

const files = 5_000;

const msPerTick = 10;

export const scope: Section = {
  name: "scope",
  async run(bench) {
    const table = new Table("scope", {
      title: `Scope: ${cycles} open/write/close elsewhere on the filesystem, by one writer`,
      columns: [
        { key: "rate", title: "cycles/s", digits: 0, show: "spread" },
        { key: "cpu", title: "CPU us/cycle of facron", digits: 2, show: "median" },
      ],
      peer: nobody.name,
    });
    const contenders = [
      nobody,
      ...[facronStream("fanotify"), facronFilesystem()].map((one) => recursive(one, ["-r"])),
    ];
    await interleave(bench, table, {
      contenders,
      measure: (contender) => writeElsewhere(bench, contender),
    });
    return [table];
  },
};

/** Nothing is watched. */
const nobody: Contender = {
  name: "nobody watches",
  role: "floor",
  backend: "fanotify",
  program: "bench-floor",
  command: () => ({ argv: ["sleep", "infinity"] }),
};

async function writeElsewhere(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  const { workspace } = bench;
  const watched = freshDirectory(workspace);
  const elsewhere = join(freshDirectory(workspace), "elsewhere");
  mkdirSync(elsewhere);
  const consumer = contender === nobody ? null : await start(bench, contender, watched);
  try {
    await produce(files); // makes them
    const ticks = consumer === null ? 0 : cpuTicks(consumer.pid);
    const begin = performance.now();
    await produce(cycles);
    const seconds = (performance.now() - begin) / 1000;
    const used = consumer === null ? 0 : cpuTicks(consumer.pid) - ticks;
    return { rate: cycles / seconds, cpu: (used * msPerTick * 1000) / cycles };
  } finally {
    await consumer?.end();
    await removeTree(watched);
    await removeTree(elsewhere);
  }

  function produce(count: number): Promise<void> {
    return runFloor(workspace, ["produce-cycles", elsewhere, files, count]);
  }
}

function start({ workspace }: Bench, contender: Contender, directory: string): Promise<Consumer> {
  const command = contender.command({ workspace, directory, events: "close_write" });
  return Consumer.start(workspace, command, { directory });
}
