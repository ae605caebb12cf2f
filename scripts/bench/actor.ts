/** Actor: what it costs to tell who did it, beside the same events without that. */
import type { Contender } from "./contender.ts";
import { drainOnce } from "./drain.ts";
import { FloorRun } from "./floor.ts";
import { latencyOnce } from "./latency.ts";
import { facronActors, facronStream } from "./ours.ts";
import { type Bench, interleave, type Section } from "./section.ts";
import { largeQueuedEvents, setQueuedEventsMax } from "./sysctl.ts";
import { Table } from "./table.ts";

const events = 300_000;

const contenders: readonly Contender[] = [facronStream("fanotify"), facronActors()];

export const actor: Section = {
  name: "actor",
  async run(bench) {
    setQueuedEventsMax(largeQueuedEvents);
    return [await drainActors(bench), await latencyOfActors(bench)];
  },
};

async function drainActors(bench: Bench): Promise<Table> {
  const table = new Table("drain-actor", {
    title: `Drain with the actor: close_write of ${events} new names by a process that lives on`,
    columns: [
      { key: "rate", title: "lines/s", digits: 0, show: "spread" },
      { key: "cpu", title: "CPU us/line", digits: 2, show: "median" },
      { key: "lost", title: "lines lost", digits: 0, show: "sum" },
    ],
  });
  await interleave(bench, table, { contenders, measure: (one) => drainOfLiving(bench, one) });
  return table;
}

/** The kernel opens a descriptor of a process only if that still lives when the record is read. */
async function drainOfLiving(bench: Bench, contender: Contender): Promise<Record<string, number>> {
  let producer: FloorRun | undefined;
  try {
    return await drainOnce(bench, contender, {
      events: "close_write",
      lines: events,
      produce: async (directory) => {
        producer = new FloorRun(bench.workspace, [
          ...["produce-names-and-stay", directory, 0, events, 0],
        ]);
        await producer.line();
      },
    });
  } finally {
    producer?.kill();
  }
}

async function latencyOfActors(bench: Bench): Promise<Table> {
  const table = new Table("latency-actor", {
    title: "Latency with the actor: close() to line readable, us, single events 1 ms apart",
    columns: [
      { key: "p50", title: "p50", digits: 1, show: "spread" },
      { key: "p99", title: "p99", digits: 1, show: "spread" },
      { key: "lost", title: "lines lost", digits: 0, show: "sum" },
    ],
  });
  await interleave(bench, table, { contenders, measure: (one) => latencyOnce(bench, one) });
  return table;
}
