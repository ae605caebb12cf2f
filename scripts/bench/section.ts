/** What the sections share: what they are given, and contenders taken in turn over several runs. */
import { type Contender, obstacle, type Task } from "./contender.ts";
import { Consumer, type StartOptions } from "./consumer.ts";
import type { Table } from "./table.ts";
import { tell } from "./tell.ts";
import { freshDirectory, removeTree, type Workspace } from "./workspace.ts";

export interface Bench {
  readonly workspace: Workspace;
  readonly runs: number;
  readonly idleSeconds: number;
  readonly minutes: number;
  readonly seconds: number;
}

export interface Section {
  readonly name: string;
  /** Measure, and give the tables that came of it. */
  run(bench: Bench): Promise<Table[]>;
}

type Measure = (contender: Contender) => Promise<Record<string, number>>;

/**
 * One measurement of each contender after the other, and all of it again for every run: what the
 * machine does meanwhile falls on all of them.
 */
export async function interleave(
  bench: Bench,
  table: Table,
  options: { contenders: readonly Contender[]; measure: Measure },
): Promise<void> {
  for (let run = 1; run <= bench.runs; run++) {
    for (const contender of options.contenders) {
      tell(`${table.id}: ${contender.name}, run ${run} of ${bench.runs}`);
      await measureInto(bench, table, { contender, measure: options.measure });
    }
  }
}

/** One that is missing or fails is told in the table, and the run goes on. */
async function measureInto(
  { workspace }: Bench,
  table: Table,
  { contender, measure }: { contender: Contender; measure: Measure },
): Promise<void> {
  const reason = obstacle(contender, workspace);
  if (reason !== undefined) return table.note(contender, reason);
  try {
    await contender.prepare?.(workspace);
    table.add(contender, await measure(contender));
  } catch (error) {
    tell(`${table.id}: ${contender.name} failed: ${String(error)}`);
    table.note(contender, `failed: ${firstLine(String(error))}`);
  }
}

function firstLine(text: string): string {
  return text.split("\n")[0]!.slice(0, 100);
}

export interface Watching {
  readonly consumer: Consumer;
  readonly directory: string;
}

export interface WatchOptions extends Pick<Task, "events"> {
  readonly fifo?: string;
  readonly stdout?: number;
  /** Fill the directory before the consumer looks at it. */
  readonly fill?: (directory: string) => Promise<void>;
}

/** Let a contender watch a new directory while `act` runs; it is ended, and the directory removed. */
export async function whileWatching<Result>(
  bench: Bench,
  contender: Contender,
  options: WatchOptions & { act: (watching: Watching) => Promise<Result> },
): Promise<Result> {
  const { workspace } = bench;
  const directory = freshDirectory(workspace);
  await options.fill?.(directory);
  const command = contender.command(taskOf(workspace, directory, options));
  const consumer = await Consumer.start(workspace, command, startOptions(directory, options));
  try {
    return await options.act({ consumer, directory });
  } finally {
    await consumer.end();
    await removeTree(directory);
  }
}

function taskOf(workspace: Workspace, directory: string, { events, fifo }: WatchOptions): Task {
  return { workspace, directory, events, ...(fifo === undefined ? {} : { fifo }) };
}

function startOptions(directory: string, { stdout }: WatchOptions): StartOptions {
  return { directory, ...(stdout === undefined ? {} : { stdout }) };
}
