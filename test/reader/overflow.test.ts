/** A full queue in the kernel: said once, with the cure, and what comes afterwards is seen again. */
import { describe, expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Quiet } from "../contract/quiet.ts";
import { startWithQueue } from "../helpers/queue-limit.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = needsRoot("sets a sysctl");

/** While facron is stopped more happens than its queue of 100 takes. */
async function overflow(quiet: Quiet, work: () => void): Promise<void> {
  await quiet.pause();
  work();
  quiet.resume();
  await quiet.wait();
}

function createMany(directory: string, count: number, name = "flood"): void {
  for (let i = 0; i < count; i++) writeFileSync(`${directory}/${name}${i}`, "");
}

describe.each(["fanotify", "inotify"] as const)("with %s", (backend) => {
  const watch = (directory: string) => [
    "watch",
    "-r",
    "-b",
    backend,
    "-e",
    "create,rename",
    directory,
  ];

  rootTest("an overflow is one record and one warning, each time", async () => {
    const dir = tempDir();
    const facron = await startWithQueue(backend, 100, watch(dir.path));
    using quiet = new Quiet(facron.pid);
    await overflow(quiet, () => createMany(dir.path, 1000));
    dir.write("after");
    await facron.waitForEvent("what came after", ({ path }) => path === dir.join("after"));
    await quiet.wait();
    const { events } = facron;
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(events.slice(0, 100).map(({ path }) => path)).toEqual(
      Array.from({ length: 100 }, (_, i) => dir.join(`flood${i}`)),
    );
    const rest = events.slice(100);
    const lookedUp = rest.filter((line) => line["synthetic"] === "overflow");
    expect(lookedUp.map(({ path }) => path).sort()).toEqual(
      Array.from({ length: 900 }, (_, i) => dir.join(`flood${i + 100}`)).sort(),
    );
    const [lost, after, ...others] = rest.filter((line) => line["synthetic"] === undefined);
    expect(lost).toMatchObject({ events: ["q_overflow"], lost: true });
    expect(lost).not.toHaveProperty("path");
    expect(lost).not.toHaveProperty("rules");
    expect([after!.path, others]).toEqual([dir.join("after"), []]);

    await overflow(quiet, () => createMany(dir.path, 1000, "again"));
    const isLoss = (line: { events: readonly string[] }) => line.events.includes("q_overflow");
    await waitFor(() => facron.events.filter(isLoss).length === 2, { what: "the second loss" });
    const limit = Number(readFileSync(`/proc/sys/fs/${backend}/max_queued_events`, "utf8"));
    const warning =
      `facron: warning: Events were lost: the kernel's ${backend} queue was full, ` +
      `fs.${backend}.max_queued_events was reached (${limit})\n` +
      `  raise it before facron starts: sysctl fs.${backend}.max_queued_events=`;
    await facron.stop();
    expect(facron.log.split(warning).length - 1).toBe(2);
  });

  rootTest("a rule that waits for an overflow runs its command once", async () => {
    const dir = tempDir();
    const [watched, seen] = [dir.mkdir("D"), dir.join("seen")];
    const script = dir.script("script", `echo "$1" >>${seen}`);
    const prefix = backend === "inotify" ? "IN" : "FAN";
    const table = `${watched} ${prefix}_CREATE\n${watched} ${prefix}_Q_OVERFLOW ${script} $$\n`;
    const facron = await startWithQueue(backend, 100, ["-c", dir.write("table", table)]);
    using quiet = new Quiet(facron.pid);
    await overflow(quiet, () => createMany(watched, 300));
    await facron.stop(); // which waits for commands
    expect(readFileSync(seen, "utf8")).toBe(`${watched}\n`);
  });

  rootTest("a directory whose making was lost is watched afterwards", async () => {
    const dir = tempDir();
    const facron = await startWithQueue(backend, 100, watch(dir.path));
    using quiet = new Quiet(facron.pid);
    await overflow(quiet, () => {
      createMany(dir.path, 300);
      mkdirSync(dir.join("lost/below"), { recursive: true });
    });
    dir.write("lost/f");
    dir.write("lost/below/f");
    dir.write("after");
    await facron.waitForEvent("what came after", ({ path }) => path === dir.join("after"));
    await facron.stop();
    const paths = facron.events.slice(100).map(({ path }) => path);
    expect(paths).toContain(dir.join("lost/f"));
    expect(paths).toContain(dir.join("lost/below/f"));
  });

  rootTest(
    "a directory whose renaming was lost is told under its new path afterwards",
    async () => {
      const dir = tempDir();
      dir.mkdir("old");
      const facron = await startWithQueue(backend, 100, watch(dir.path));
      using quiet = new Quiet(facron.pid);
      await overflow(quiet, () => {
        createMany(dir.path, 300);
        Bun.spawnSync(["mv", dir.join("old"), dir.join("new")]);
      });
      dir.write("new/f");
      dir.write("after");
      await facron.waitForEvent("what came after", ({ path }) => path === dir.join("after"));
      await facron.stop();
      const paths = facron.events.slice(100).map(({ path }) => path);
      expect(paths).toContain(dir.join("new/f"));
      expect(paths).not.toContain(dir.join("old/f"));
    },
  );
});
