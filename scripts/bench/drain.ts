/** Drain: a stopped consumer, 600,000 events in its queue, and how fast it gives their lines. */
import type { Contender } from "./contender.ts";
import { facronStream, fanotifyFloor, inotifyFloor } from "./ours.ts";
import { fatrace, fsnotifywait, fswatch, inotifywait } from "./peers.ts";
import { drainReport, measureFloor, runFloor } from "./floor.ts";
import { Pipe } from "./pipe.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { largeQueuedEvents, setQueuedEventsMax } from "./sysctl.ts";
import { type Column, Table } from "./table.ts";

const events = 600_000;

/** Each cycle is an open, a modify and a close_write. */
const cycles = events / 3;

const cycleFiles = 5_000;

/** No line for so long: no more will come. */
const idleMs = 3_000;

const columns: readonly [Column, ...Column[]] = [
  { key: "rate", title: "lines/s", digits: 0, show: "spread" },
  { key: "cpu", title: "CPU us/line", digits: 2, show: "median" },
  { key: "lost", title: "lines lost", digits: 0, show: "sum" },
];

export const drain: Section = {
  name: "drain",
  async run(bench) {
    setQueuedEventsMax(largeQueuedEvents);
    return [await drainInotify(bench), await drainFanotify(bench)];
  },
};

async function drainInotify(bench: Bench): Promise<Table> {
  const table = new Table("drain-inotify", {
    title: `Drain, inotify: ${cycles} open/write/close cycles over ${cycleFiles} files queued`,
    columns,
    peer: "inotifywait",
  });
  const { workspace } = bench;
  await interleave(bench, table, {
    contenders: [
      ...[inotifywait("default"), inotifywait("JSON"), fswatch],
      ...[facronStream("inotify"), inotifyFloor],
    ],
    measure: (contender) =>
      drainOnce(bench, contender, {
        events: "cycle",
        fill: (directory) => produceCycles(directory, cycleFiles),
        produce: (directory) => produceCycles(directory, cycles),
      }),
  });
  return table;

  function produceCycles(directory: string, count: number): Promise<void> {
    return runFloor(workspace, ["produce-cycles", directory, cycleFiles, count]);
  }
}

/** The kernel merges the fanotify records of one file, so every event has a name of its own. */
async function drainFanotify(bench: Bench): Promise<Table> {
  const table = new Table("drain-fanotify", {
    title: `Drain, fanotify: close_write of ${events} new names queued`,
    columns,
    peer: "fatrace",
  });
  await interleave(bench, table, {
    contenders: [fatrace, fsnotifywait, facronStream("fanotify"), fanotifyFloor],
    measure: (contender) =>
      drainOnce(bench, contender, {
        events: "close_write",
        produce: (directory) =>
          runFloor(bench.workspace, ["produce-names", directory, 0, events, 0]),
      }),
  });
  return table;
}

export interface DrainJob {
  /** How many lines there must be. */
  readonly lines?: number;
  readonly events: "cycle" | "close_write";
  readonly fill?: (directory: string) => Promise<void>;
  readonly produce: (directory: string) => Promise<void>;
}

export async function drainOnce(
  bench: Bench,
  contender: Contender,
  { produce, lines = events, ...job }: DrainJob,
): Promise<Record<string, number>> {
  using pipe = new Pipe(bench.workspace);
  return await whileWatching(bench, contender, {
    ...job,
    stdout: pipe.writeFd,
    act: async ({ consumer, directory }) => {
      pipe.closeWrite();
      await consumer.stop();
      await produce(directory);
      const count = ["count-lines", consumer.pid, lines, idleMs];
      const report = await measureFloor(bench.workspace, count, {
        form: drainReport,
        stdin: pipe.readFd,
      });
      return {
        rate: report.lines / (report.ns / 1e9),
        cpu: report.cpuNs / 1e3 / report.lines,
        lost: lines - report.lines,
      };
    },
  });
}
