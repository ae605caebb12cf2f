/** Action: close() to main() of the command that it starts, one at a time. */
import type { Contender } from "./contender.ts";
import { facronTable, spawnFloor } from "./ours.ts";
import { direvent, incron } from "./peers.ts";
import { measureFloor, timesReport } from "./floor.ts";
import { makeFifo } from "./pipe.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { quantile } from "./stats.ts";
import { Table } from "./table.ts";

const events = 300;

export const action: Section = {
  name: "action",
  async run(bench) {
    const table = new Table("action", {
      title: `Action: close() to main() of the command, us, ${events} one at a time`,
      columns: [
        { key: "p50", title: "p50", digits: 0, show: "spread" },
        { key: "p99", title: "p99", digits: 0, show: "spread" },
        { key: "lost", title: "not run", digits: 0, show: "sum" },
      ],
      peer: "incron",
    });
    await interleave(bench, table, {
      contenders: [
        ...[incron, direvent],
        ...[facronTable("inotify"), facronTable("fanotify"), spawnFloor],
      ],
      measure: (contender) => actionOnce(bench, contender),
    });
    return [table];
  },
};

async function actionOnce(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  const fifo = makeFifo(bench.workspace);
  return await whileWatching(bench, contender, {
    events: "close_write",
    fifo,
    act: async ({ directory }) => {
      const measure = ["action", directory, fifo, events];
      const { ns, lost } = await measureFloor(bench.workspace, measure, { form: timesReport });
      return { p50: quantile(ns, 0.5) / 1e3, p99: quantile(ns, 0.99) / 1e3, lost };
    },
  });
}
