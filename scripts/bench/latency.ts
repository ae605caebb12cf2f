/** Latency: close() to its line readable on the pipe, one event at a time. */
import type { Contender } from "./contender.ts";
import { facronStream, fanotifyFloor, inotifyFloor } from "./ours.ts";
import { fatrace, fsnotifywait, fswatch, inotifywait } from "./peers.ts";
import { measureFloor, timesReport } from "./floor.ts";
import { Pipe } from "./pipe.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { quantile } from "./stats.ts";
import { Table } from "./table.ts";

const events = 2_000;

export const latency: Section = {
  name: "latency",
  async run(bench) {
    const table = new Table("latency", {
      title: `Latency: close() to line readable, us, ${events} single events 1 ms apart`,
      columns: [
        { key: "p50", title: "p50", digits: 1, show: "spread" },
        { key: "p99", title: "p99", digits: 1, show: "spread" },
        { key: "lost", title: "lines lost", digits: 0, show: "sum" },
      ],
      peer: "inotifywait",
    });
    await interleave(bench, table, {
      contenders: [
        ...[inotifywait("default"), fsnotifywait, fswatch, fatrace],
        ...[facronStream("inotify"), facronStream("fanotify"), inotifyFloor, fanotifyFloor],
      ],
      measure: (contender) => latencyOnce(bench, contender),
    });
    return [table];
  },
};

/** One round of single events. */
export async function latencyOnce(
  bench: Bench,
  contender: Contender,
): Promise<Record<string, number>> {
  using pipe = new Pipe(bench.workspace);
  return await whileWatching(bench, contender, {
    events: "close_write",
    stdout: pipe.writeFd,
    act: async ({ directory }) => {
      pipe.closeWrite();
      const measure = ["latency", directory, events];
      const { ns, lost } = await measureFloor(bench.workspace, measure, {
        form: timesReport,
        stdin: pipe.readFd,
      });
      return { p50: quantile(ns, 0.5) / 1e3, p99: quantile(ns, 0.99) / 1e3, lost };
    },
  });
}
