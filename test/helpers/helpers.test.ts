/** The helpers themselves: a helper that does not clean up or wait breaks every other test. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { atTestEnd } from "./at-test-end.ts";
import { mountBindfs, mountTmpfs } from "./mount.ts";
import { openPipe } from "./pipe.ts";
import { needsRoot, requires } from "./requires.ts";
import { runBinary } from "./run-binary.ts";
import { tempDir } from "./temp-dir.ts";
import { waitFor } from "./wait-for.ts";

const rootTest = needsRoot("mounts a filesystem");
const bindfsTest = requires({ root: "mounts a filesystem", tools: ["bindfs"] });
const shell = ["/bin/sh", "-c"];

describe("atTestEnd", () => {
  const order: string[] = [];

  test("is called after the test", () => {
    atTestEnd(() => void order.push("first in"));
    atTestEnd(() => void order.push("last in"));
    expect(order).toEqual([]);
  });

  test("calls the last first", () => {
    expect(order).toEqual(["last in", "first in"]);
  });
});

describe("tempDir", () => {
  let left = "";

  test("is there with what was written", () => {
    const dir = tempDir();
    left = dir.path;
    expect(readFileSync(dir.write("a/b", "text"), "utf8")).toBe("text");
    expect(Bun.spawnSync([dir.script("run", "echo it runs")]).stdout.toString()).toBe("it runs\n");
  });

  test("is gone after the test that made it", () => {
    expect(left).not.toBe("");
    expect(existsSync(left)).toBe(false);
  });

  test("is gone after its scope, a directory without permissions included", () => {
    let path: string;
    {
      using dir = tempDir({ on: "disk" });
      path = dir.path;
      dir.write("closed/file");
      Bun.spawnSync(["chmod", "000", dir.join("closed")]);
    }
    expect(existsSync(path)).toBe(false);
  });

  test("takes away what a run left that was killed", async () => {
    const child = Bun.spawn(["sleep", "0"]);
    await child.exited;
    const parent = dirname(tempDir().path);
    mkdirSync(`${parent}/facron-test-${child.pid}-left/below`, { recursive: true });
    const script = join(import.meta.dir, "helpers.test.ts");
    const again = [process.execPath, "test", script, "-t", "is there with what was written"];
    expect(Bun.spawnSync(again).success).toBe(true);
    expect(existsSync(`${parent}/facron-test-${child.pid}-left`)).toBe(false);
  });

  rootTest("takes mounts below it away", () => {
    const dir = tempDir();
    mountTmpfs(dir.join("a"));
    mountTmpfs(dir.join("a/b and c"), "size=1m");
    dir[Symbol.dispose]();
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir.path);
    expect(existsSync(dir.path)).toBe(false);
  });

  bindfsTest("takes a mount away that lies on a FUSE mount without a server", () => {
    const dir = tempDir();
    mountBindfs(dir.join("a"));
    mountTmpfs(dir.join("a/b"));
    expect(Bun.spawnSync(["pkill", "-KILL", "-f", `bindfs.*${dir.path}`]).success).toBe(true);
    dir[Symbol.dispose]();
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir.path);
    expect(existsSync(dir.path)).toBe(false);
  });
});

describe("waitFor", () => {
  test("gives what the condition gave", async () => {
    let asked = 0;
    const value = await waitFor(() => ++asked > 3 && asked, { what: "the fourth time" });
    expect(value).toBe(4);
  });

  test("names what was awaited when the deadline passes", async () => {
    const waiting = waitFor(() => null, { what: "rain", deadlineMs: 5, state: () => "dry" });
    await expect(waiting).rejects.toThrow("Waited 5 ms for rain; it stood so:\ndry");
  });
});

describe("runBinary", () => {
  let leftPid = 0;
  afterAll(() => expect(isRunning(leftPid)).toBe(false));

  test("collects lines, waits for them and tells the exit code", async () => {
    const script = `echo '{"seq":1,"events":["a"]}'; printf cut; echo log >&2; exit 3`;
    await using running = runBinary([script], { command: shell });
    expect(await running.waitForEvent("seq 1", (event) => event.seq === 1)).toEqual({
      seq: 1,
      events: ["a"],
    });
    expect(await running.exit()).toEqual({ code: 3, signal: null });
    expect(running.cutLine).toBe("cut");
    expect(running.log).toBe("log\n");
  });

  test("ready fails at once if the program ends before", async () => {
    await using running = runBinary(["echo no such rule >&2; exit 2"], { command: shell });
    await expect(running.ready()).rejects.toThrow(/ended with 2[^]*no such rule/);
  });

  test("stop sends the signal and tells which one ended it", async () => {
    await using running = runBinary(["echo facron: ready >&2; exec sleep 100"], { command: shell });
    await running.ready();
    expect(await running.stop("SIGINT")).toEqual({ code: null, signal: "SIGINT" });
  });

  test("reads text on stdin and inherits no more than PATH and LANG", async () => {
    const options = { command: shell, stdin: "typed\n", env: { EXTRA: "1" } };
    await using running = runBinary(["cat; env | sort | cut -d= -f1"], options);
    await running.exit();
    expect(running.lines).toEqual(["typed", "EXTRA", "FACRON_TEST_MARK", "LANG", "PATH", "PWD"]);
  });

  test("writes into a pipe that nobody reads", async () => {
    using pipe = openPipe();
    const options = { command: shell, stdout: pipe.write.number };
    await using running = runBinary(
      ["echo x; echo facron: ready >&2; exec cat /dev/zero"],
      options,
    );
    pipe.write.close();
    await running.ready();
    pipe.read.close();
    expect(await running.exit()).toEqual({ code: null, signal: "SIGPIPE" });
  });

  test("leaves nothing running when a test forgets to stop it", async () => {
    const running = runBinary(["setsid sleep 100 & echo $!; exec sleep 100"], { command: shell });
    const [pid] = await running.waitForLines(1);
    leftPid = Number(pid);
    expect(isRunning(leftPid)).toBe(true);
  });
});

function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[2] !== "Z";
  } catch {
    return false;
  }
}
