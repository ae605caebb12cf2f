/** Burst: 1,000 files closed at once, and how fast their commands are started. */
import type { Contender } from "./contender.ts";
import { facronTable, spawnFloor } from "./ours.ts";
import { direvent, incron } from "./peers.ts";
import { measureFloor, ranReport } from "./floor.ts";
import { makeFifo, Pipe } from "./pipe.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { Table } from "./table.ts";

/** Commands of one burst; every one must run. */
export const burstFiles = 1_000;

/** A burst takes a third of a second: a few of them, or one busy moment decides. */
const burstsPerRun = 3;

/** incron starts about 300 a second and gives a sign of life with each. */
const idleMs = 5_000;

const unread = ", stdout unread";

export const burst: Section = {
  name: "burst",
  async run(bench) {
    const table = new Table("burst", {
      title: `Burst: ${burstFiles} files closed at once, commands/s from the first close to the last main()`,
      columns: [
        { key: "rate", title: "commands/s", digits: 0, show: "spread" },
        { key: "lost", title: "not run", digits: 0, show: "sum" },
        { key: "extra", title: "run twice", digits: 0, show: "sum" },
      ],
      peer: "incron",
    });
    await interleave({ ...bench, runs: bench.runs * burstsPerRun }, table, {
      contenders: [
        ...[incron, direvent, facronTable("inotify"), facronTable("fanotify")],
        ...[withUnreadStdout(facronTable("inotify")), withUnreadStdout(facronTable("fanotify"))],
        spawnFloor,
      ],
      measure: (contender) => burstOnce(bench, contender),
    });
    return [table];
  },
};

/** The same contender, its stdout a pipe that nobody reads: 1,000 lines are more than fit. */
function withUnreadStdout(contender: Contender): Contender {
  return { ...contender, name: `${contender.name}${unread}` };
}

async function burstOnce(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  const fifo = makeFifo(bench.workspace);
  using pipe = new Pipe(bench.workspace);
  return await whileWatching(bench, contender, {
    events: "close_write",
    fifo,
    ...(contender.name.endsWith(unread) ? { stdout: pipe.writeFd } : {}),
    act: async ({ directory }) => {
      const measure = ["burst", directory, fifo, burstFiles, idleMs];
      const { ran, extra, ns } = await measureFloor(bench.workspace, measure, { form: ranReport });
      return { rate: ran / (ns / 1e9), lost: burstFiles - ran, extra };
    },
  });
}
