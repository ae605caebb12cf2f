/**
 * What the kernel's full queue has dropped is found by a look: a rule on close_write hears of every file
 * that was written meanwhile, once, and not while somebody still writes it.
 *
 * FACRON_PROOF_COUNT sets how many files (5,000), FACRON_TEST_FILESYSTEMS where (tmpfs).
 */
import { describe, expect } from "bun:test";
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { chosenPlaces } from "../contract/filesystems.ts";
import { Quiet } from "../contract/quiet.ts";
import { startWithQueue } from "../helpers/queue-limit.ts";
import { report } from "../helpers/report.ts";
import type { EventLine } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { countsOf, examplesOf, noDifference, proofCount, proofTest, Tally } from "./proof.ts";

const count = proofCount(1000) * 5;
const timeoutMs = 60_000 + count * 10;
const queue = 64;

const watched = (backend: string, directory: string, events = "create,close_write,q_overflow") => [
  "watch",
  "-r",
  "-b",
  backend,
  "-e",
  events,
  directory,
];

function tallyOf(lines: readonly EventLine[], event: string): Tally {
  const tally = new Tally();
  for (const { events, path } of lines) if (events.includes(event)) tally.add(path ?? "");
  return tally;
}

describe.each(chosenPlaces())("$on", ({ backend, on, filesystem }) => {
  proofTest(
    "files that are written while nobody reads a queue of 64 are told once",
    async () => {
      const top = join(filesystem.mount(tempDir({ on: "disk" }).join("mount")), "D");
      mkdirSync(top);
      const facron = await startWithQueue(backend, queue, watched(backend, top));
      using quiet = new Quiet(facron.pid);
      await quiet.pause();
      const paths = new Set(Array.from({ length: count }, (_, n) => `${top}/f${n}`));
      for (const path of paths) writeFileSync(path, "text");
      quiet.resume();
      await quiet.wait();
      await facron.stop();
      const closed = tallyOf(facron.events, "close_write").against(paths);
      const created = tallyOf(facron.events, "create").against(paths);
      const overflows = tallyOf(facron.events, "q_overflow").of("");
      report("files written while the queue of 64 was full", on, {
        rounds: count,
        q_overflow: overflows,
        ...countsOf(closed),
      });
      expect(overflows).toBe(1);
      expect(examplesOf(closed)).toEqual(noDifference);
      expect(examplesOf(created)).toEqual(noDifference);
    },
    timeoutMs,
  );
});

describe.each(["fanotify", "inotify"] as const)("with %s", (backend) => {
  /** Run `work` while facron reads nothing, with a queue that 200 files fill. */
  async function lose(work: (dir: string) => void | Promise<void>): Promise<EventLine[]> {
    const dir = tempDir();
    dir.write("old", "text");
    dir.mkdir("known");
    const facron = await startWithQueue(backend, queue, watched(backend, dir.path));
    using quiet = new Quiet(facron.pid);
    await quiet.pause();
    await work(dir.path);
    quiet.resume();
    await quiet.wait();
    await facron.stop();
    return facron.events.map((line) => ({
      ...line,
      path: (line.path ?? "").slice(dir.path.length + 1),
    }));
  }

  const flood = (dir: string): void => {
    for (let n = 0; n < 200; n++) writeFileSync(`${dir}/flood${n}`, "");
  };

  /** The kernel's clock for files: what changes within one tick has the same time. */
  const clockTick = async (dir: string): Promise<void> => {
    const changed = (name: string) => statSync(`${dir}/${name}`, { bigint: true }).ctimeNs;
    const hasTicked = () => {
      writeFileSync(`${dir}/old`, "");
      return changed("old") > changed("flood199");
    };
    await waitFor(hasTicked, { what: "a later time of change" });
  };

  const toldOf = (lines: readonly EventLine[], name: string) =>
    lines.flatMap(({ events, path, ...line }) =>
      path === name ? [`${events.join(" ")} ${String(line["synthetic"] ?? "told")}`] : [],
    );

  proofTest(
    "a file that was told before the loss and written again in it is told again",
    async () => {
      const lines = await lose(async (dir) => {
        writeFileSync(`${dir}/twice`, "once");
        flood(dir);
        await clockTick(dir);
        writeFileSync(`${dir}/twice`, "and again");
      });
      const closes = toldOf(lines, "twice").filter((text) => text.includes("close_write"));
      expect(closes).toHaveLength(2);
      expect(closes[1]).toEndWith("overflow");
    },
  );

  proofTest("a file that was there before is told as written, and not as new", async () => {
    const lines = await lose((dir) => {
      flood(dir);
      writeFileSync(`${dir}/old`, "new text");
    });
    expect(toldOf(lines, "old")).toEqual(["close_write overflow"]);
  });

  proofTest("a file that somebody still writes is told as complete when it is", async () => {
    let fd = -1;
    const dir = tempDir();
    const facron = await startWithQueue(backend, queue, watched(backend, dir.path));
    using quiet = new Quiet(facron.pid);
    await quiet.pause();
    flood(dir.path);
    fd = openSync(dir.join("slow"), "w");
    writeSync(fd, "half");
    quiet.resume();
    await quiet.wait();
    const about = () => facron.events.filter(({ path }) => path === dir.join("slow"));
    expect(about().map(({ events }) => events)).toEqual([["create"]]);
    writeSync(fd, " and half");
    closeSync(fd);
    await quiet.wait();
    await facron.stop();
    expect(about().map(({ events }) => events)).toEqual([["create"], ["close_write"]]);
  });

  proofTest(
    "what changed in a directory whose renaming was lost is told under its new path",
    async () => {
      const lines = await lose((dir) => {
        flood(dir);
        renameSync(`${dir}/known`, `${dir}/renamed`);
        writeFileSync(`${dir}/renamed/f`, "text");
      });
      expect(toldOf(lines, "known/f")).toEqual([]);
      expect(toldOf(lines, "renamed/f")).toEqual(["create overflow", "close_write overflow"]);
    },
  );

  proofTest(
    "directories that were made in the loss are looked into, whatever is in them",
    async () => {
      const lines = await lose((dir) => {
        flood(dir);
        Bun.spawnSync(["mkdir", "-p", `${dir}/a/b`]);
        writeFileSync(`${dir}/a/b/f`, "text");
      });
      for (const [name, event] of [
        ["a", "create"],
        ["a/b", "create"],
        ["a/b/f", "create"],
        ["a/b/f", "close_write"],
      ] as const)
        expect(toldOf(lines, name).filter((text) => text.startsWith(event))).toHaveLength(1);
    },
  );
});
