/** The reader's loop in the real binary: in order, complete, with the right pid, reloaded or ended. */
import { describe, expect } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { Quiet } from "../contract/quiet.ts";
import { needsRoot } from "../helpers/requires.ts";
import { type EventLine, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = needsRoot("uses fanotify");

function createMany(directory: string, count: number, name = "f"): void {
  for (let i = 0; i < count; i++) writeFileSync(`${directory}/${name}${i}`, "");
}

function closed(lines: readonly EventLine[], directory: string): number[] {
  return lines
    .filter(
      ({ events, path }) => events.includes("close_write") && path!.startsWith(`${directory}/`),
    )
    .map(({ path }) => Number(/\d+$/.exec(path!)![0]));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

describe.each(["fanotify", "inotify"] as const)("with %s", (backend) => {
  const prefix = backend === "inotify" ? "IN" : "FAN";
  const children = backend === "inotify" ? "" : "|FAN_EVENT_ON_CHILD";
  const rule = `${prefix}_CLOSE_WRITE${children}`;

  rootTest("20,000 files are told in order, without a gap", async () => {
    const dir = tempDir();
    await using facron = await runBinary(["watch", "-b", backend, dir.path]).ready();
    createMany(dir.path, 20_000);
    await facron.waitForEvent("the last file", (line) => {
      return line.path === dir.join("f19999") && line.events.includes("close_write");
    });
    expect(closed(facron.events, dir.path)).toEqual(upTo(20_000));
    expect(facron.events.map(({ seq }) => seq)).toEqual(facron.events.map((_, i) => i + 1));
  });

  rootTest("reloads while files are written lose none and double none", async () => {
    const dir = tempDir();
    const [a, b, c] = [dir.mkdir("A"), dir.mkdir("B"), dir.mkdir("C")];
    const tables = [
      `${a} ${rule}\n${b} ${rule}\n`,
      `${c} ${rule}\n# no longer first\n${b} ${rule}\n${a} ${prefix}_CREATE,${rule}\n`,
    ];
    const table = dir.write("table", tables[0]!);
    await using facron = await runBinary(["-c", table]).ready();
    const reloads = () => facron.log.match(/^facron: reloaded/gm)?.length ?? 0;
    let written = 0;
    for (let n = 1; n <= 20; n++) {
      dir.write("table", tables[n % 2]!);
      facron.signal("SIGUSR1");
      await waitFor(
        () => {
          for (let i = 0; i < 20; i++, written++) {
            writeFileSync(`${a}/f${written}`, "");
            writeFileSync(`${b}/f${written}`, "");
          }
          return reloads() >= n;
        },
        { what: "the reload", state: () => facron.log },
      );
    }
    await facron.stop();
    expect(closed(facron.events, a)).toEqual(upTo(written));
    expect(closed(facron.events, b)).toEqual(upTo(written));
    expect(facron.events.map(({ seq }) => seq)).toEqual(facron.events.map((_, i) => i + 1));
    expect(facron.cutLine).toBe("");
  });

  rootTest(
    "20,000 renames are told each, also those between whose halves the reader reads",
    async () => {
      const dir = tempDir();
      await using facron = await runBinary([
        "watch",
        "-b",
        backend,
        "-e",
        "rename",
        dir.path,
      ]).ready();
      dir.write("f0");
      using quiet = new Quiet(facron.pid);
      for (let i = 0; i < 20_000; i++) {
        renameSync(dir.join(`f${i}`), dir.join(`f${i + 1}`));
        if (i % 1000 === 999)
          await waitFor(() => quiet.queuedBytes < 256 * 1024, { what: "facron to catch up" });
      }
      await facron.stop();
      const to = facron.events.map(({ path }) => Number(/\d+$/.exec(path!)![0]) - 1);
      const told = new Set(to);
      const missing = upTo(20_000).filter((i) => !told.has(i));
      expect(missing).toEqual([]);
      expect(to).toEqual(upTo(20_000));
    },
  );

  rootTest("what is queued at SIGTERM is still told", async () => {
    const dir = tempDir();
    await using facron = await runBinary(["watch", "-b", backend, dir.path]).ready();
    using quiet = new Quiet(facron.pid);
    await quiet.pause();
    createMany(dir.path, 3000);
    facron.signal("SIGTERM");
    quiet.resume();
    expect(await facron.exit()).toEqual({ code: 0, signal: null });
    expect(closed(facron.events, dir.path)).toEqual(upTo(3000));
  });

  rootTest("a stream that never ends does not keep facron from its end", async () => {
    const dir = tempDir();
    await using facron = await runBinary(["watch", "-b", backend, dir.path]).ready();
    const script = "i=0; while :; do : >f$i; i=$((i+1)); done";
    const writer = Bun.spawn(["/bin/sh", "-c", script], { cwd: dir.path });
    await facron.waitForLines(100);
    expect(await facron.stop()).toEqual({ code: 0, signal: null });
    writer.kill("SIGKILL");
    await writer.exited;
  });

  rootTest("a line has the pid of who did it, where the backend knows", async () => {
    const dir = tempDir();
    await using facron = await runBinary([
      "watch",
      "-b",
      backend,
      "-e",
      "create",
      dir.path,
    ]).ready();
    dir.write("f");
    const [line] = [await facron.waitForEvent("the file", () => true)];
    expect(line["pid"]).toBe(backend === "fanotify" ? process.pid : undefined);
  });
});

rootTest("two backends' lines share one count", async () => {
  const dir = tempDir();
  const table = dir.write("table", `${dir.path} IN_CREATE\n${dir.path} FAN_CREATE\n`);
  await using facron = await runBinary(["-c", table]).ready();
  createMany(dir.path, 1000);
  await facron.waitForLines(2000);
  expect(facron.events.map(({ seq }) => seq)).toEqual(upTo(2000).map((i) => i + 1));
  for (const name of ["table:1", "table:2"]) {
    const paths = facron.events
      .filter(({ rules }) => String(rules) === name)
      .map(({ path }) => path);
    expect(paths).toEqual(upTo(1000).map((i) => dir.join(`f${i}`)));
  }
});
