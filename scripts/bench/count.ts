/** Count: 200,000 files while facron watches; every line there, none too many, and no memory kept. */
import type { Backend, Contender } from "./contender.ts";
import type { Consumer } from "./consumer.ts";
import { facronStream, facronTable } from "./ours.ts";
import { FloorRun, ranReport, runFloor, tallyReport } from "./floor.ts";
import { makeFifo, Pipe } from "./pipe.ts";
import { memoryOf } from "./process-info.ts";
import { type Bench, interleave, type Section, whileWatching } from "./section.ts";
import { defaultQueuedEvents, largeQueuedEvents, setQueuedEventsMax } from "./sysctl.ts";
import { Table } from "./table.ts";

export const countFiles = 200_000;

/** Memory is compared with what it was after these. */
const firstFiles = 1_000;

const idleMs = 10_000;

const reloadEveryMs = 100;

interface Scenario {
  readonly name: string;
  readonly contender: (backend: Backend) => Contender;
  readonly queuedEvents: number;
  readonly reloads?: boolean;
  readonly commands?: boolean;
}

const scenarios: readonly Scenario[] = [
  { name: "default queue", contender: facronStream, queuedEvents: defaultQueuedEvents },
  { name: "large queue", contender: facronStream, queuedEvents: largeQueuedEvents },
  {
    name: "reload every 100 ms",
    contender: facronTable,
    queuedEvents: defaultQueuedEvents,
    reloads: true,
  },
  {
    name: "a command per file",
    contender: facronTable,
    queuedEvents: defaultQueuedEvents,
    commands: true,
  },
];

export const count: Section = {
  name: "count",
  async run(bench) {
    const table = new Table("count", {
      title: `Count: ${countFiles} files created, written and closed while facron watches`,
      columns: [
        { key: "closeWrites", title: "close_write lines", digits: 0, show: "median" },
        { key: "others", title: "other lines", digits: 0, show: "median" },
        { key: "seqGaps", title: "seq gaps", digits: 0, show: "median" },
        { key: "lost", title: "q_overflow", digits: 0, show: "median" },
        { key: "ran", title: "commands", digits: 0, show: "median" },
        { key: "reloads", title: "reloads", digits: 0, show: "median" },
        { key: "firstMiB", title: "MiB at 1,000", digits: 1, show: "median" },
        { key: "endMiB", title: "at the end", digits: 1, show: "median" },
        { key: "peakMiB", title: "peak", digits: 1, show: "median" },
      ],
    });
    // Once each: it is a question of right or wrong.
    for (const scenario of scenarios) await countScenario({ ...bench, runs: 1 }, table, scenario);
    return [table];
  },
};

async function countScenario(bench: Bench, table: Table, scenario: Scenario): Promise<void> {
  setQueuedEventsMax(scenario.queuedEvents);
  const contenders = (["inotify", "fanotify"] as const).map((backend) => ({
    ...scenario.contender(backend),
    name: `${scenario.name}, ${backend}`,
  }));
  const measure = (contender: Contender) => countOnce(bench, contender, scenario);
  await interleave(bench, table, { contenders, measure });
}

async function countOnce(
  bench: Bench,
  contender: Contender,
  scenario: Scenario,
): Promise<Record<string, number>> {
  using pipe = new Pipe(bench.workspace);
  const fifo = scenario.commands === true ? makeFifo(bench.workspace) : undefined;
  return await whileWatching(bench, contender, {
    events: "close_write",
    ...(fifo === undefined ? {} : { fifo }),
    stdout: pipe.writeFd,
    act: async ({ consumer, directory }) => {
      pipe.closeWrite();
      const check = ["check-lines", firstFiles, countFiles, idleMs];
      const lines = new FloorRun(bench.workspace, check, { stdin: pipe.readFd });
      const commands = fifo === undefined ? undefined : await countCommands(bench, fifo);
      using reloads = new Reloads(consumer, scenario.reloads === true);
      const firstMiB = await produce(bench, { consumer, directory, lines });
      const tally = tallyReport.parse(JSON.parse(lastLine(await lines.rest())));
      const ran = commands === undefined ? {} : await ranOf(commands);
      return {
        ...{ closeWrites: tally.closeWrites, others: tally.lines - tally.closeWrites },
        ...{ seqGaps: tally.seqGaps, lost: tally.lostRecords },
        ...{ ...ran, ...reloads.sent() },
        ...{ firstMiB, ...memoryAtEnd(consumer) },
      };
    },
  });
}

/**
 * The first 1,000 files and their lines; then all the others.
 *
 * @returns MiB resident after the first 1,000
 */
async function produce(
  bench: Bench,
  { consumer, directory, lines }: { consumer: Consumer; directory: string; lines: FloorRun },
): Promise<number> {
  await runFloor(bench.workspace, ["produce-names", directory, 0, firstFiles, 1]);
  await lines.line();
  const firstMiB = memoryOf(consumer.pid).residentKiB / 1024;
  const rest = countFiles - firstFiles;
  await runFloor(bench.workspace, ["produce-names", directory, firstFiles, rest, 1]);
  return firstMiB;
}

function memoryAtEnd(consumer: Consumer): Record<string, number> {
  const { residentKiB, peakKiB } = memoryOf(consumer.pid);
  return { endMiB: residentKiB / 1024, peakMiB: peakKiB / 1024 };
}

/** Count in the background how many files' commands ran. */
async function countCommands({ workspace }: Bench, fifo: string): Promise<FloorRun> {
  const run = new FloorRun(workspace, ["count-records", fifo, countFiles, idleMs]);
  await run.line(); // "listening": from here on no command waits for a reader
  return run;
}

async function ranOf(commands: FloorRun): Promise<Record<string, number>> {
  const { ran } = ranReport.parse(JSON.parse(await commands.rest()));
  return { ran };
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/** SIGUSR1 every 100 ms, when it is asked for. */
class Reloads {
  #sent = 0;
  readonly #timer: Timer | undefined;

  constructor(consumer: Consumer, isAskedFor: boolean) {
    if (!isAskedFor) return;
    this.#timer = setInterval(() => {
      consumer.signal("SIGUSR1");
      this.#sent += 1;
    }, reloadEveryMs);
  }

  sent(): Record<string, number> {
    return this.#timer === undefined ? {} : { reloads: this.#sent };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
