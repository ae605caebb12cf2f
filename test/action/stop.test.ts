import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { Launcher } from "../../src/action/launcher.ts";
import { Runner } from "../../src/action/runner.ts";
import { Counters } from "../../src/rule/template.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { immortal, MemoryLog, numbered, ruleThatRuns, testRunner, triggersFor } from "./support.ts";

const longMs = 60_000;

/** Whether a process is there and not a zombie. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return false;
  }
}

/** The number that a script writes to a file. */
function pidIn(path: string): Promise<number> {
  const read = () => existsSync(path) && readFileSync(path, "utf8").endsWith("\n");
  return waitFor(read, { what: path }).then(() => Number(readFileSync(path, "utf8")));
}

/** A stop of one command that no signal reaches. */
function stopOfImmortal(): { log: MemoryLog; stop: Runner["stop"] } {
  const log = new MemoryLog();
  const runner = new Runner({
    maxRunning: 1,
    log,
    launcher: new Launcher({ log, spawn: () => immortal, counters: new Counters() }),
    onStarted: () => {},
    readUp: () => {},
  });
  runner.enqueue([ruleThatRuns("/bin/true")], triggersFor(["a"]), 1);
  return { log, stop: (options) => runner.stop(options) };
}

const ended = (pid: number) => waitFor(() => !isAlive(pid), { what: `the end of process ${pid}` });

describe("stop", () => {
  test("resolves at once when nothing runs", async () => {
    const { runner, log } = testRunner();
    const report = await runner.stop({ graceMs: longMs, killAfterMs: longMs });
    expect(report).toEqual({ abandoned: 0, terminated: 0, killed: 0 });
    expect(log.lines).toEqual([]);
  });

  test("lets running commands end and starts what waits", async () => {
    const { runner, trigger, started } = testRunner({ maxRunning: 2 });
    trigger(ruleThatRuns("/bin/sleep", "0.05"), numbered(6));
    const report = await runner.stop({ graceMs: longMs, killAfterMs: longMs });
    expect(report).toEqual({ abandoned: 0, terminated: 0, killed: 0 });
    expect(started()).toBe(6);
  });

  test("starts what is handed over during the grace", async () => {
    using dir = tempDir();
    const { runner, trigger } = testRunner();
    trigger(ruleThatRuns("/bin/sleep", "0.1"), ["a"]);
    const stopped = runner.stop({ graceMs: longMs, killAfterMs: longMs });
    trigger(ruleThatRuns("/bin/touch", dir.join("late")), ["b"]);
    await stopped;
    expect(existsSync(dir.join("late"))).toBe(true);
  });

  test("after the grace abandons what waits and terminates what runs, and says both", async () => {
    const { runner, log, trigger, started } = testRunner({ maxRunning: 2 });
    trigger(ruleThatRuns("/bin/sleep", "600"), numbered(7));
    const report = await runner.stop({ graceMs: 50, killAfterMs: longMs });
    expect(report).toEqual({ abandoned: 5, terminated: 2, killed: 0 });
    expect(started()).toBe(7); // those abandoned have left the queue too
    expect(log.lines.slice(0, 2)).toEqual([
      "warn: Stopping: 5 commands waiting, abandoned",
      "warn: Stopping: 2 commands still running, sent SIGTERM",
    ]);
    expect(log.lines.length).toBe(4);
    expect(log.lines[2]).toContain('"/bin/sleep" was killed by SIGTERM after');
  });

  test("abandons what is handed over after the grace", async () => {
    using dir = tempDir();
    const script = dir.script("deaf", `trap '' TERM; echo > ${dir.join("ready")}; sleep 600`);
    const { runner, trigger } = testRunner({ maxRunning: 1 });
    trigger(ruleThatRuns(script), ["a"]);
    await waitFor(() => existsSync(dir.join("ready")), { what: "the command" });
    const stopped = runner.stop({ graceMs: longMs, killAfterMs: longMs });
    runner.hurry();
    trigger(ruleThatRuns("/bin/touch", dir.join("late")), numbered(3));
    runner.hurry();
    expect(await stopped).toEqual({ abandoned: 3, terminated: 1, killed: 1 });
    expect(existsSync(dir.join("late"))).toBe(false);
  });

  test("kills a command that ignores SIGTERM, with its whole group", async () => {
    using dir = tempDir();
    const script = dir.script(
      "deaf",
      `trap '' TERM; sleep 600 & echo $! > ${dir.join("grandchild")}; wait`,
    );
    const { runner, log, trigger } = testRunner();
    trigger(ruleThatRuns(script), ["a"]);
    const grandchild = await pidIn(dir.join("grandchild"));
    const report = await runner.stop({ graceMs: 0, killAfterMs: 100 });
    expect(report).toEqual({ abandoned: 0, terminated: 1, killed: 1 });
    expect(log.lines.slice(0, 2)).toEqual([
      "warn: Stopping: 1 command still running, sent SIGTERM",
      "warn: Stopping: 1 command still running, sent SIGKILL",
    ]);
    expect(log.lines[2]).toContain("was killed by SIGKILL after");
    await ended(grandchild);
  });

  test("SIGTERM reaches what a command has started", async () => {
    using dir = tempDir();
    const script = dir.script("parent", `sleep 600 & echo $! > ${dir.join("grandchild")}; wait`);
    const { runner, trigger } = testRunner();
    trigger(ruleThatRuns(script), ["a"]);
    const grandchild = await pidIn(dir.join("grandchild"));
    const report = await runner.stop({ graceMs: 0, killAfterMs: longMs });
    expect(report).toEqual({ abandoned: 0, terminated: 1, killed: 0 });
    await ended(grandchild);
  });

  test("does not wait for what outlives its command", async () => {
    using dir = tempDir();
    const script = dir.script("leave", `sleep 600 & echo $! > ${dir.join("grandchild")}`);
    const { runner, trigger } = testRunner();
    trigger(ruleThatRuns(script), ["a"]);
    const grandchild = await pidIn(dir.join("grandchild"));
    try {
      const report = await runner.stop({ graceMs: longMs, killAfterMs: longMs });
      expect(report).toEqual({ abandoned: 0, terminated: 0, killed: 0 });
      expect(isAlive(grandchild)).toBe(true);
    } finally {
      process.kill(grandchild);
    }
  });

  test("gives up on what outlives SIGKILL", async () => {
    const { log, stop } = stopOfImmortal();
    expect(await stop({ graceMs: 0, killAfterMs: 20 })).toEqual({
      abandoned: 0,
      terminated: 1,
      killed: 1,
    });
    expect(log.lines.at(-1)).toBe("warn: Stopping: 1 command outlived SIGKILL, left behind");
  });

  test("twice is once", async () => {
    const { runner, trigger } = testRunner();
    trigger(ruleThatRuns("/bin/sleep", "0.05"), ["a"]);
    const options = { graceMs: longMs, killAfterMs: longMs };
    expect(runner.stop(options)).toBe(runner.stop(options));
    await runner.stop(options);
  });
});

describe("hurry", () => {
  test("abandons and terminates at once, and kills the next time", async () => {
    using dir = tempDir();
    const script = dir.script("deaf", `trap '' TERM; echo > ${dir.join("ready")}; sleep 600`);
    const { runner, trigger } = testRunner({ maxRunning: 1 });
    trigger(ruleThatRuns(script), numbered(4));
    await waitFor(() => existsSync(dir.join("ready")), { what: "the command" });
    const stopped = runner.stop({ graceMs: longMs, killAfterMs: longMs });
    runner.hurry();
    expect([runner.running, runner.waiting]).toEqual([1, 0]);
    runner.hurry();
    expect(await stopped).toEqual({ abandoned: 3, terminated: 1, killed: 1 });
  });

  test("does nothing without a stop", async () => {
    const { runner, log, trigger } = testRunner();
    trigger(ruleThatRuns("/bin/true"), ["a"]);
    runner.hurry();
    await waitFor(() => runner.running === 0, { what: "the command" });
    expect(log.lines[0]).toContain("exited 0");
  });
});

test("a second signal that comes before the stop begins is not forgotten", async () => {
  const { runner, trigger } = testRunner();
  trigger(ruleThatRuns("/bin/sleep", "1000"), ["/a"]);
  runner.hurry();
  const { terminated, killed } = await runner.stop({ graceMs: 60_000, killAfterMs: 60_000 });
  expect({ terminated, killed }).toEqual({ terminated: 1, killed: 0 });
});
