/** Reload: SIGUSR1 and SIGHUP bring a new configuration into force, and lose nothing on the way. */
import { describe, expect, test } from "bun:test";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { expectNoGap, linesOf } from "./support.ts";

interface Reloading {
  readonly dir: TempDir;
  readonly facron: RunningBinary;
  /** Write the table, send the signal, wait until it is in force. */
  readonly reload: (table: string, signal?: NodeJS.Signals) => Promise<void>;
}

/** Directories DIR/a and DIR/b, a script DIR/run; "DIR" in a table is the directory. */
async function reloading(table: string, args: readonly string[] = []): Promise<Reloading> {
  const dir = tempDir();
  dir.mkdir("a");
  dir.mkdir("b");
  dir.script(
    "run",
    `echo "$@" >>${dir.join("ran")}; until [ -e ${dir.join("go")} ]; do sleep 0.01; done`,
  );
  const write = (text: string) => dir.write("facron.conf", text.replaceAll("DIR", dir.path));
  const facron = await runBinary(["-c", write(table), ...args]).ready();
  const reloads = () => facron.log.match(/^facron: reloaded, /gm)?.length ?? 0;
  const reload = async (text: string, signal: NodeJS.Signals = "SIGUSR1") => {
    const before = reloads();
    write(text);
    facron.signal(signal);
    await waitFor(() => reloads() > before, { what: "the reload", state: () => facron.log });
  };
  return { dir, facron, reload };
}

/** Nothing came of what happened before this event. */
async function marker(facron: RunningBinary, dir: TempDir, name: string): Promise<void> {
  dir.write(name);
  await facron.waitForEvent(name, ({ path }) => path === dir.join(name));
}

describe("a reload", () => {
  for (const signal of ["SIGUSR1", "SIGHUP"] as const) {
    test(`by ${signal} adds a path`, async () => {
      const { dir, facron, reload } = await reloading("DIR/a close_write\n");
      await reload("DIR/a close_write\nDIR/b close_write\n", signal);
      await marker(facron, dir, "b/new");
      await marker(facron, dir, "a/new");
      expect(facron.log).toContain("facron: reloaded, watching 2 paths for 2 rules");
    });
  }

  test("removes a path", async () => {
    const { dir, facron, reload } = await reloading("DIR/a close_write\nDIR/b close_write\n");
    await reload("DIR/a close_write\n");
    dir.write("b/new");
    await marker(facron, dir, "a/new");
    expect(facron.lines).toHaveLength(1);
  });

  test("changes the events of a path", async () => {
    const { dir, facron, reload } = await reloading("DIR/a create\n");
    await reload("DIR/a delete\n");
    dir.write("a/new");
    rmSync(dir.join("a/new"));
    const event = await facron.waitForEvent("a line", () => true);
    expect(event.events).toEqual(["delete"]);
  });

  test("makes a path watched that has appeared since", async () => {
    const { dir, facron, reload } = await reloading("DIR/a close_write\nDIR/c close_write\n");
    expect(facron.log).toMatch(/^facron: warning: .*\/c"?: /m);
    dir.mkdir("c");
    await reload("DIR/a close_write\nDIR/c close_write\n");
    await marker(facron, dir, "c/new");
  });

  test("changes the command, and triggers that wait keep the old one", async () => {
    const { dir, facron, reload } = await reloading("DIR/a close_write DIR/run old $#\n", [
      "--max-running",
      "1",
    ]);
    for (const name of ["1", "2", "3"]) dir.write(`a/${name}`);
    await waitFor(() => linesOf(dir.join("ran")).length === 1, { what: "the first command" });
    await facron.waitForLines(3);
    await reload("# another line\nDIR/b close_write\nDIR/a close_write DIR/run new $#\n");
    dir.write("a/4");
    dir.write("go");
    await facron.waitForLines(4);
    await facron.stop();
    // The line has moved, so it is another rule, and rules take turns.
    expect(linesOf(dir.join("ran")).sort()).toEqual(["new 4", "old 1", "old 2", "old 3"]);
    expectNoGap(facron);
  });

  test("meets events that happened before it with the rules from before", async () => {
    const { dir, facron } = await reloading("DIR/a close_write\n");
    facron.signal("SIGSTOP");
    for (let i = 0; i < 15_000; i++) dir.write(`a/${i}`);
    dir.write("facron.conf", `\n\n${dir.join("a")} close_write\n`);
    facron.signal("SIGUSR1");
    facron.signal("SIGCONT");
    await facron.waitForLog(/reloaded/);
    await marker(facron, dir, "a/marker");
    const rules = facron.events.map((event) => (event["rules"] as string[])[0]);
    expect(rules.filter((rule) => rule === "facron.conf:1")).toHaveLength(15_000);
    expect(rules.at(-1)).toBe("facron.conf:3");
  });

  test("keeps the counter of $+", async () => {
    const { dir, facron, reload } = await reloading("DIR/a close_write DIR/run $+\n");
    dir.write("go");
    dir.write("a/1");
    await facron.waitForLog(/exited 0/);
    await reload("\nDIR/a close_write DIR/run $+\n");
    dir.write("a/2");
    await waitFor(() => linesOf(dir.join("ran")).length === 2, { what: "the second command" });
    expect(linesOf(dir.join("ran"))).toEqual(["1", "2"]);
  });

  test("keeps what A|B has seen so far", async () => {
    const { dir, facron, reload } = await reloading("DIR/a create|delete\nDIR/b create\n");
    dir.write("a/1");
    await marker(facron, dir, "b/1");
    await reload("DIR/a create|delete\n");
    rmSync(dir.join("a/1"));
    const event = await facron.waitForEvent("the rule", ({ path }) => path === dir.join("a/1"));
    expect(event).toMatchObject({ rules: ["facron.conf:1"] });
  });

  test("takes a configuration that was replaced by a rename", async () => {
    const { dir, facron } = await reloading("DIR/a close_write\n");
    dir.write("new.conf", `${dir.join("b")} close_write\n`);
    renameSync(dir.join("new.conf"), dir.join("facron.conf"));
    facron.signal("SIGUSR1");
    await facron.waitForLog(/reloaded/);
    await marker(facron, dir, "b/new");
  });

  test("follows a directory that was replaced by another", async () => {
    const { dir, facron, reload } = await reloading("DIR/a close_write\n");
    renameSync(dir.join("a"), dir.join("a.old"));
    dir.mkdir("a");
    await reload("DIR/a close_write\n");
    await marker(facron, dir, "a/new");
  });

  test("fifty at once come to an end, with the last configuration in force", async () => {
    const { dir, facron } = await reloading("DIR/a close_write\n");
    for (let i = 0; i < 50; i++) {
      dir.write("facron.conf", `${dir.join(i === 49 ? "b" : "a")} close_write\n`);
      facron.signal(i % 2 === 0 ? "SIGUSR1" : "SIGHUP");
    }
    await waitFor(
      () => {
        dir.write("b/new");
        return facron.lines.length > 0;
      },
      { what: "a line from the last configuration" },
    );
    expect(await facron.stop()).toEqual({ code: 0, signal: null });
  });
});

describe("a configuration that cannot be used leaves the old one in force, and the log says so:", () => {
  const wrong: Record<string, [change: (file: string) => void, says: RegExp]> = {
    "it has an error": [
      (file) => writeFileSync(file, "/tmp FAN_MODFIY\n"),
      /^facron: error: .*facron\.conf:1:6: Unknown event "FAN_MODFIY"/m,
    ],
    "it has vanished": [(file) => rmSync(file), /^facron: error: .*no such file/m],
    "it has become a directory": [
      (file) => {
        rmSync(file);
        Bun.spawnSync(["mkdir", file]);
      },
      /^facron: error: .*it is a directory/m,
    ],
  };
  for (const [claim, [change, says]] of Object.entries(wrong)) {
    test(claim, async () => {
      const { dir, facron } = await reloading("DIR/a close_write\n");
      change(dir.join("facron.conf"));
      facron.signal("SIGUSR1");
      await facron.waitForLog(/^facron: error: Cannot reload: .*the old one stays in force$/m);
      expect(facron.log).toMatch(says);
      await marker(facron, dir, "a/new");
      expect(await facron.stop()).toEqual({ code: 0, signal: null });
    });
  }

  test("until it is right again", async () => {
    const { dir, facron, reload } = await reloading("DIR/a close_write\n");
    dir.write("facron.conf", "nonsense\n");
    facron.signal("SIGUSR1");
    await facron.waitForLog(/Cannot reload/);
    await reload("DIR/b close_write\n");
    await marker(facron, dir, "b/new");
  });

  test("it came through stdin, which is read up", async () => {
    const dir = tempDir();
    const stdin = `${dir.path} close_write\n`;
    await using facron = await runBinary(["-c", "/dev/stdin"], { stdin }).ready();
    facron.signal("SIGUSR1");
    await facron.waitForLog(/Cannot reload|reloaded/);
    await marker(facron, dir, "new");
  });
});

test("watch has nothing to reload, and goes on", async () => {
  const dir = tempDir();
  await using facron = await runBinary(["watch", "-e", "create", dir.path]).ready();
  facron.signal("SIGUSR1");
  await facron.waitForLog(/reloaded/);
  await marker(facron, dir, "new");
});
