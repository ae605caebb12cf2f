/** Gate: eight processes that open files as fast as they can, each verdict checked, and what it costs them. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Openers, type PhaseReport } from "../openers.ts";
import { defer } from "./cleanup.ts";
import { Consumer, spawnTracked } from "./consumer.ts";
import type { Contender } from "./contender.ts";
import { fapolicyd } from "./fapolicyd.ts";
import {
  alwaysAllow,
  bySuffix,
  deniedSuffix,
  facronAsk,
  facronDeny,
  facronTellsAll,
  type GateContender,
  noGate,
} from "./gate-contenders.ts";
import { Pipe } from "./pipe.ts";
import { type Bench, interleave, type Section } from "./section.ts";
import { Table } from "./table.ts";
import { freshDirectory, removeTree, type Workspace } from "./workspace.ts";

const openerCount = 8;
const directories = 10;
const filesInEach = 100;

/** Caches get warm, code gets compiled. */
const warmUpSeconds = 2;

const contenders: readonly GateContender[] = [
  noGate,
  alwaysAllow,
  bySuffix,
  facronDeny("none"),
  facronDeny("deny"),
  facronTellsAll,
  facronAsk,
  fapolicyd,
];

export const gate: Section = {
  name: "gate",
  async run(bench) {
    const files = directories * filesInEach;
    const table = new Table("gate", {
      title: `Gate: ${openerCount} processes open ${files} files by lot, one in ten denied, ${bench.seconds} s each`,
      columns: [
        { key: "rate", title: "opens/s", digits: 0, show: "spread" },
        { key: "p50", title: "p50 us", digits: 1, show: "median" },
        { key: "p99", title: "p99 us", digits: 1, show: "median" },
        { key: "p999", title: "p99.9 us", digits: 1, show: "median" },
        { key: "max", title: "max us", digits: 0, show: "median" },
        { key: "wrong", title: "wrong verdicts", digits: 0, show: "sum" },
        { key: "untold", title: "lines missing", digits: 0, show: "sum" },
      ],
      peer: noGate.name,
    });
    const byName = new Map<Contender, GateContender>(contenders.map((one) => [one, one]));
    await interleave(bench, table, {
      contenders,
      measure: (contender) => gateOnce(bench, byName.get(contender)!),
    });
    return [table];
  },
};

async function gateOnce(bench: Bench, contender: GateContender): Promise<Record<string, number>> {
  const { workspace } = bench;
  const directory = join(freshDirectory(workspace), "tree");
  mkdirSync(directory);
  await run(workspace, ["make-tree", directory, directories, filesInEach, deniedSuffix]);
  using pipe = new Pipe(workspace);
  const lines = countLines(pipe);
  const listener =
    contender === noGate
      ? null
      : await Consumer.start(
          workspace,
          contender.command({ workspace, directory, events: "close_write" }),
          { directory, stdout: pipe.writeFd },
        );
  pipe.closeWrite();
  try {
    if (contender.isAskedFirst === true) await run(workspace, ["open-each", directory]);
    const within = listener === null ? [] : (contender.opensWithin?.(listener.pid) ?? []);
    const phases = await openFor(bench, { contender, directory, within });
    await listener?.end();
    return { ...valuesOf(phases.at(-1)!), ...untold(contender, phases, await lines) };
  } finally {
    await listener?.end();
    await removeTree(directory);
  }
}

async function openFor(
  { workspace, seconds }: Bench,
  given: { contender: GateContender; directory: string; within: readonly string[] },
): Promise<PhaseReport[]> {
  const { contender, directory, within } = given;
  const openers = new Openers({
    ...{ program: workspace.gateFloor, directory, within },
    ...{ count: openerCount, suffix: deniedSuffix },
  });
  defer(() => openers.kill());
  try {
    openers.start(contender.expects);
    await Bun.sleep(warmUpSeconds * 1000);
    const warmUp = await openers.next(contender.expects);
    await Bun.sleep(seconds * 1000);
    return [warmUp, await openers.end()];
  } finally {
    openers.kill();
  }
}

/** Decisions that should have been told and were not; openers that are killed in the end may add a few. */
function untold(
  { tells }: GateContender,
  phases: readonly PhaseReport[],
  lines: number,
): Record<string, number> {
  if (tells === undefined) return {};
  const decisions = phases.reduce(
    (sum, one) => sum + (tells === "all" ? one.opens : one.denied),
    0,
  );
  return { untold: Math.max(0, decisions - lines) };
}

function valuesOf(report: PhaseReport): Record<string, number> {
  const us = (ns: number): number => ns / 1000;
  return {
    rate: report.opens / (report.ns / 1e9),
    ...{ p50: us(report.p50Ns), p99: us(report.p99Ns), p999: us(report.p999Ns) },
    ...{ max: us(report.maxNs), wrong: report.wrong + report.failed + report.stuck },
  };
}

/** Somebody reads what a contender says on stdout. @returns how many lines there were at its end */
async function countLines(pipe: Pipe): Promise<number> {
  const child = spawnTracked(["wc", "-l"], { stdin: pipe.readFd, stdout: "pipe" });
  return Number(await new Response(child.stdout as ReadableStream).text());
}

/** A sub-command of bench-gate.c that only acts. */
async function run(workspace: Workspace, words: readonly (string | number)[]): Promise<void> {
  const child = spawnTracked([workspace.gateFloor, ...words.map(String)], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await child.exited) !== 0) throw new Error(`bench-gate ${words[0]} failed`);
}
