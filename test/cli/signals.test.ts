/** Signals: TERM and INT end after what has happened until then, a second one hurries. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { check } from "../../ffi/errno.ts";
import { libc } from "../../ffi/libc.ts";
import { type Exit, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { childrenOf, expectNoGap, isAlive, linesOf, stopped, writeFiles } from "./support.ts";

const clean: Exit = { code: 0, signal: null };

const RLIMIT_NOFILE = 7; // asm-generic

/** facron, whose command is a script that starts by saying its pid in DIR/started. */
async function running(
  body: string,
  args: readonly string[] = [],
): Promise<{ dir: TempDir; facron: RunningBinary }> {
  const dir = tempDir();
  const script = dir.script("run", `echo $$ >>${dir.join("started")}\ncd ${dir.path}\n${body}`);
  const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script} $#\n`);
  const facron = await runBinary(["-c", file, ...args]).ready();
  return { dir, facron };
}

/** Pids of the commands, once `count` have been started. */
async function started(dir: TempDir, count: number): Promise<number[]> {
  const pids = () => linesOf(dir.join("started")).map(Number);
  await waitFor(() => pids().length >= count, { what: `the start of ${count} commands` });
  return pids();
}

describe("SIGTERM", () => {
  for (const [backend, mask] of [
    ["fanotify", "FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD"],
    ["inotify", "IN_CLOSE_WRITE"],
  ]) {
    test(`runs the commands of all that ${backend} has queued`, async () => {
      const dir = tempDir();
      const script = dir.script("run", `echo "$1" >>${dir.join("ran")}`);
      const file = dir.write("facron.conf", `${dir.mkdir("in")} ${mask} ${script} $#\n`);
      await using facron = await runBinary(["-c", file]).ready();
      await stopped(facron);
      writeFiles(dir.join("in"), 1000);
      facron.signal("SIGTERM");
      facron.signal("SIGCONT");
      expect(await facron.exit(30_000)).toEqual(clean);
      expect(new Set(linesOf(dir.join("ran"))).size).toBe(1000);
      expect(linesOf(dir.join("ran"))).toHaveLength(1000);
      expect(facron.events).toHaveLength(1000);
      expectNoGap(facron);
    });

    test(`writes the lines of all that ${backend} has queued, more than one read takes`, async () => {
      const dir = tempDir();
      const args = ["watch", "-b", backend!, "-e", "close_write", dir.path];
      await using facron = await runBinary(args).ready();
      await stopped(facron);
      writeFiles(dir.path, 15_000, "a-name-of-some-length-so-that-the-queue-is-long-");
      facron.signal("SIGTERM");
      facron.signal("SIGCONT");
      expect(await facron.exit()).toEqual(clean);
      expect(facron.events).toHaveLength(15_000);
    });
  }

  test("waits for running commands, and starts those that wait for their turn", async () => {
    const { dir, facron } = await running("sleep 0.2; echo >>ended", ["--max-running", "2"]);
    writeFiles(dir.join("in"), 5);
    await started(dir, 2);
    expect(await facron.stop()).toEqual(clean);
    expect(linesOf(dir.join("ended"))).toHaveLength(5);
    expect(facron.log).toMatch(/^facron: SIGTERM: reading what is queued, then ending$/m);
  });

  test("takes nothing that comes after it", async () => {
    const { dir, facron } = await running(
      "[ $1 = f0 ] || exit; until [ -e go ]; do sleep 0.01; done",
    );
    writeFiles(dir.join("in"), 1);
    await started(dir, 1);
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    // The end of the command's own wait is an event that facron must not run.
    await waitFor(() => facron.log.includes("SIGTERM") && facron.lines.length === 1, {
      what: "the line",
    });
    dir.write("go");
    expect(await facron.exit()).toEqual(clean);
    expect(linesOf(dir.join("started"))).toHaveLength(1);
  });

  test("a second time terminates the commands", async () => {
    const { dir, facron } = await running("trap 'echo >terminated; exit' TERM; sleep 100 & wait");
    writeFiles(dir.join("in"), 1);
    await started(dir, 1);
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    expect(await facron.stop("SIGTERM", 5000)).toEqual(clean);
    expect(existsSync(dir.join("terminated"))).toBe(true);
    expect(facron.log).toMatch(/warning: Stopping: 1 command still running, sent SIGTERM/);
  });

  test("a third time kills them, with their children, and says what was abandoned", async () => {
    const body = "trap '' TERM; sleep 100 & echo $! >>children; wait";
    const { dir, facron } = await running(body, ["--max-running", "2"]);
    writeFiles(dir.join("in"), 5);
    const commands = await started(dir, 2);
    const children = () => linesOf(dir.join("children")).map(Number);
    await waitFor(() => children().length === 2, { what: "their children" });
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    facron.signal("SIGTERM");
    await facron.waitForLog(/sent SIGTERM/);
    expect(await facron.stop("SIGTERM", 5000)).toEqual(clean);
    expect(facron.log).toMatch(/warning: Stopping: 3 commands waiting, abandoned/);
    expect(facron.log).toMatch(/warning: Stopping: 2 commands still running, sent SIGKILL/);
    await waitFor(() => ![...commands, ...children()].some(isAlive), { what: "their end" });
  });

  test("at any moment of the start ends cleanly", async () => {
    const dir = tempDir();
    for (let i = 0; i < 20; i++) {
      const facron = runBinary(["watch", "-r", "/usr/share", dir.path]);
      await Bun.sleep(i * 4);
      const exit = await facron.stop();
      // Before its handlers are set the signal ends it as any program.
      expect([clean, { code: null, signal: "SIGTERM" }]).toContainEqual(exit);
      expect(facron.log).not.toMatch(/error|\bat /);
    }
  });

  test("is not kept from its work by a flood of events", async () => {
    const dir = tempDir();
    const flood = runBinary([], {
      command: ["/bin/sh", "-c", `while :; do : >${dir.join("a")}; : >${dir.join("b")}; done`],
    });
    await using facron = await runBinary(["watch", dir.path]).ready();
    await facron.waitForLines(1000);
    expect(await facron.stop("SIGTERM", 5000)).toEqual(clean);
    expect(flood.exited).toBe(false);
    expectNoGap(facron);
  });
});

describe("SIGINT", () => {
  test("ends facron by the signal, so that a shell's loop ends too", async () => {
    const facron = await runBinary(["watch", tempDir().path]).ready();
    expect(await facron.stop("SIGINT")).toEqual({ code: null, signal: "SIGINT" });
  });

  test("does what has happened until then first", async () => {
    const { dir, facron } = await running("sleep 0.2; echo >>ended");
    await stopped(facron);
    writeFiles(dir.join("in"), 20);
    facron.signal("SIGINT");
    facron.signal("SIGCONT");
    expect(await facron.exit()).toEqual({ code: null, signal: "SIGINT" });
    expect(linesOf(dir.join("ended"))).toHaveLength(20);
  });

  test("of a terminal does not reach the commands", async () => {
    const { dir, facron } = await running("sleep 0.3; echo >>ended");
    writeFiles(dir.join("in"), 1);
    await started(dir, 1);
    process.kill(-facron.pid, "SIGINT"); // what ^C does: to the whole foreground group
    expect(await facron.exit()).toEqual({ code: null, signal: "SIGINT" });
    expect(linesOf(dir.join("ended"))).toHaveLength(1);
  });
});

test("facron leaves no process behind", async () => {
  const { dir, facron } = await running("true");
  writeFiles(dir.join("in"), 50);
  expect(await facron.stop()).toEqual(clean);
  expect(linesOf(dir.join("started")).map(Number).filter(isAlive)).toEqual([]);
  expect(childrenOf(facron.pid)).toEqual([]);
});

test("a reader thread that dies ends facron with exit 1, and the log says so", async () => {
  const dir = tempDir();
  const facron = await runBinary(["watch", dir.path]).ready();
  // poll(2) fails with EINVAL for more descriptors than one may have open.
  const limit = new BigUint64Array([3n, 1024n]);
  check(libc.prlimit(facron.pid, RLIMIT_NOFILE, limit, null), "prlimit");
  dir.write("a");
  expect(await facron.exit()).toEqual({ code: 1, signal: null });
  expect(facron.log).toMatch(
    /^facron: error: The reader thread died, nothing is watched any more/m,
  );
});
