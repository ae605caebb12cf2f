/** Tree: 50,000 directories with 250,000 files: how long until all is watched, and what it holds in memory. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { defer } from "./cleanup.ts";
import { Consumer } from "./consumer.ts";
import type { Contender } from "./contender.ts";
import { chokidar, parcelWatcher } from "./npm-peers.ts";
import { facronFilesystem, facronStream } from "./ours.ts";
import { fatrace, inotifywait } from "./peers.ts";
import { memoryOf } from "./process-info.ts";
import { type Bench, interleave, type Section } from "./section.ts";
import { raiseWatchLimit } from "./sysctl.ts";
import { Table } from "./table.ts";
import { tell } from "./tell.ts";
import { freshDirectory, removeTree, type Workspace } from "./workspace.ts";

export const treeDirectories = 50_000;

const filesPerDirectory = 5;

/** Each directory has so many below it: five levels, as a home directory or a node_modules has. */
const fanOut = 10;

/** After it is ready, until its memory is looked at. */
const settleMs = 500;

/** chokidar takes half a minute for the tree. */
const readyWithinMs = 120_000;

export const tree: Section = {
  name: "tree",
  async run(bench) {
    raiseWatchLimit();
    const onDisk = join(bench.workspace.scratch, "tree");
    mkdirSync(onDisk);
    return [
      await treeOn(bench, { id: "tree-tmpfs", where: "tmpfs", parent: bench.workspace.files }),
      await treeOn(bench, { id: "tree-disk", where: "disk", parent: onDisk }),
    ];
  },
};

interface Place {
  readonly id: string;
  readonly where: "tmpfs" | "disk";
  readonly parent: string;
}

async function treeOn(bench: Bench, { id, where, parent }: Place): Promise<Table> {
  const files = treeDirectories * filesPerDirectory;
  const table = new Table(id, {
    title: `Tree on ${where}: ${treeDirectories} directories with ${files} files, ms until ready`,
    columns: [
      { key: "ms", title: "ms", digits: 0, show: "spread" },
      { key: "overIdleMiB", title: "MiB over idle", digits: 1, show: "spread" },
      { key: "idleMiB", title: "idle MiB", digits: 1, show: "median" },
    ],
    peer: "inotifywait -r",
  });
  const directory = join(parent, "many");
  tell(`${id}: making the tree`);
  makeTree(directory);
  await interleave(bench, table, {
    contenders: [
      ...[recursive(inotifywait("default"), ["-r"]), ...(where === "tmpfs" ? [fatrace] : [])],
      ...[chokidar, parcelWatcher],
      ...[facronStream("inotify"), facronStream("fanotify"), facronFilesystem()].map((one) =>
        recursive(one, ["-r"]),
      ),
    ],
    measure: (contender) => treeOnce(bench.workspace, contender, directory),
  });
  await removeTree(directory);
  return table;
}

/** The same with directories below, and saying when it is ready. */
export function recursive(contender: Contender, flags: readonly string[]): Contender {
  const isPeer = contender.role === "peer";
  return {
    ...contender,
    name: isPeer ? `${contender.name} -r` : contender.name,
    command: (task) => {
      const { argv, readyText = "Watches established." } = contender.command(task);
      const loud = argv.filter((word) => word !== "-q"); // inotifywait is ready without a word then
      return { argv: [...loud.slice(0, -1), ...flags, loud.at(-1)!], readyText };
    },
  };
}

async function treeOnce(
  workspace: Workspace,
  contender: Contender,
  directory: string,
): Promise<Record<string, number>> {
  const idle = await startOnce(workspace, contender, freshDirectory(workspace));
  const full = await startOnce(workspace, contender, directory);
  return {
    ms: full.ms,
    overIdleMiB: full.residentMiB - idle.residentMiB,
    idleMiB: idle.residentMiB,
  };
}

async function startOnce(
  workspace: Workspace,
  contender: Contender,
  directory: string,
): Promise<{ ms: number; residentMiB: number }> {
  const command = contender.command({ workspace, directory, events: "close_write" });
  const start = performance.now();
  const consumer = await Consumer.start(workspace, command, { directory, readyWithinMs });
  const ms = performance.now() - start;
  try {
    await Bun.sleep(settleMs);
    return { ms, residentMiB: memoryOf(consumer.pid).residentKiB / 1024 };
  } finally {
    await consumer.end();
  }
}

/** Directory n lies in directory (n - 1) / 10. It goes when the run ends, however that is. */
function makeTree(top: string): void {
  defer(() => void Bun.spawnSync(["rm", "-rf", top]));
  mkdirSync(top);
  const paths = [top];
  for (let n = 1; n < treeDirectories; n++) {
    const path = `${paths[Math.floor((n - 1) / fanOut)]}/directory-${n % fanOut}`;
    mkdirSync(path);
    paths.push(path);
  }
  for (const path of paths) {
    for (let n = 0; n < filesPerDirectory; n++) closeSync(openSync(`${path}/file-${n}.txt`, "w"));
  }
}
