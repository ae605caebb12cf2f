import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fromLatin1 } from "../../ffi/bytes.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { numbered, ruleThatRuns, testRunner, triggersFor } from "./support.ts";

function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "latin1").split("\n").slice(0, -1) : [];
}

/** A rule name cannot hold a line end, a pid and a time differ: what is left is the same each time. */
function withoutNumbers(line: string): string {
  return line.replace(/after \d+ ms \(pid \d+\)/, "after N ms (pid N)");
}

describe("Runner", () => {
  test("runs every one of 1,000 triggers once", async () => {
    using dir = tempDir();
    const script = dir.script("append", `echo "$1" >> ${dir.join("seen")}`);
    const { runner, trigger, started } = testRunner();
    trigger(ruleThatRuns(script, "{path}"), numbered(1000));
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    const seen = linesOf(dir.join("seen")).map(Number);
    expect(seen.sort((a, b) => a - b)).toEqual(numbered(1000).map(Number));
    expect(started()).toBe(1000);
    expect([runner.running, runner.waiting]).toEqual([0, 0]);
  });

  test("never runs more than maxRunning at once, and as many as that", async () => {
    using dir = tempDir();
    dir.mkdir("running");
    const script = dir.script(
      "observe",
      `cd ${dir.path}; touch running/$$; ls running | wc -l >> counts; sleep 0.02; rm running/$$`,
    );
    const { runner, trigger } = testRunner({ maxRunning: 4 });
    for (let i = 0; i < 20; i++) trigger(ruleThatRuns(script), [`${i}a`, `${i}b`, `${i}c`]);
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    const counts = linesOf(dir.join("counts")).map(Number);
    expect(counts.length).toBe(60);
    expect(Math.max(...counts)).toBe(4);
  });

  test("starts in the order of the triggers", async () => {
    using dir = tempDir();
    const script = dir.script("append", `echo "$1 $2" >> ${dir.join("seen")}`);
    const { runner, trigger } = testRunner({ maxRunning: 1 });
    const rule = ruleThatRuns(script, "{path}", "{up}");
    trigger(rule, ["a", "b"]);
    trigger(rule, ["c"]);
    trigger(rule, ["d"]);
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    expect(linesOf(dir.join("seen"))).toEqual(["a 1", "b 2", "c 3", "d 4"]);
  });

  test("hands a name that is not UTF-8 over byte for byte, and touches nothing else", async () => {
    using dir = tempDir();
    const out = dir.join("seen");
    const script = dir.script("show", `printf '%s\\n' "$1" >> ${out}`);
    const { runner, trigger } = testRunner({ maxRunning: 1 });
    const names = ["a b", "\xff\xfe", "$(touch pwned)", "caf\xe9"];
    trigger(ruleThatRuns(script, "{path}"), names.map(fromLatin1));
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    expect(linesOf(out)).toEqual(names);
    expect(readdirSync(dir.path).sort()).toEqual(["seen", "show"]);
  });

  test("logs status, signal and time of every command, and why one could not be started", async () => {
    using dir = tempDir();
    const script = dir.script("end", `case "$1" in kill) kill -KILL $$;; *) exit "$1";; esac`);
    const { runner, log, trigger } = testRunner({ maxRunning: 1 });
    trigger(ruleThatRuns(script, "{path}"), ["0", "7", "kill"]);
    trigger(ruleThatRuns("/no/such", "{path}"), ["a", fromLatin1("\xff")]);
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    expect(log.lines.map(withoutNumbers)).toEqual([
      `info: rule "import": "${script}" exited 0 after N ms (pid N)`,
      `warn: rule "import": "${script}" exited 7 after N ms (pid N)`,
      `warn: rule "import": "${script}" was killed by SIGKILL after N ms (pid N)`,
      `error: rule "import": Cannot start "/no/such": no such file`,
      `error: rule "import": Cannot start "/no/such": no such file`,
    ]);
  });

  test("logs how long a command ran", async () => {
    const { runner, log, trigger } = testRunner();
    trigger(ruleThatRuns("/bin/sleep", "0.2"), ["a"]);
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    const afterMs = Number(/after (\d+) ms/.exec(log.lines[0]!)![1]);
    expect(afterMs).toBeGreaterThanOrEqual(200);
    expect(afterMs).toBeLessThan(2000);
  });

  test("goes on after commands that cannot be started, and lets others have their turn", async () => {
    using dir = tempDir();
    const { runner, log, trigger, started } = testRunner({ maxRunning: 2 });
    trigger(ruleThatRuns("/no/such"), numbered(500));
    trigger(ruleThatRuns("/bin/touch", dir.join("done")), ["a"]);
    expect(started()).toBe(32); // the rest after other callbacks
    await waitFor(() => existsSync(dir.join("done")), { what: "the command after the failures" });
    await runner.stop({ graceMs: 60_000, killAfterMs: 1000 });
    expect(log.lines.filter((line) => line.startsWith("error: ")).length).toBe(500);
    expect(started()).toBe(501);
  });

  test("tells how many triggers have left the queue, as they leave it", async () => {
    using dir = tempDir();
    const script = dir.script("wait", `while [ ! -e ${dir.join("go")} ]; do sleep 0.01; done`);
    const { runner, trigger, started } = testRunner({ maxRunning: 3 });
    trigger(ruleThatRuns(script), numbered(5));
    expect([started(), runner.running, runner.waiting]).toEqual([3, 3, 2]);
    writeFileSync(dir.join("go"), "");
    await waitFor(() => runner.running === 0, { what: "the commands" });
    expect([started(), runner.running, runner.waiting]).toEqual([5, 0, 0]);
  });

  test("passes over a rule without a command and an index without a rule", () => {
    const { runner, log, started } = testRunner();
    const rule = { ...ruleThatRuns("/bin/true"), command: null };
    runner.enqueue([rule], triggersFor(["a"]), 1);
    runner.enqueue([], triggersFor(["a"]), 1);
    expect([started(), runner.running, log.lines.length]).toEqual([2, 0, 0]);
  });

  test.each([1, 1000])("200,000 waiting triggers, %d at once, take less than 60 MiB", (atOnce) => {
    const main = `${import.meta.dir}/memory-main.ts`;
    const { stdout } = Bun.spawnSync([process.execPath, main, String(atOnce)]);
    const { waiting, grownBytes } = JSON.parse(stdout.toString());
    expect(waiting).toBe(199_999);
    expect(grownBytes).toBeLessThan(60 * 1024 * 1024);
  });

  test("a rule that has nothing to do takes less than 8 KiB", () => {
    const main = `${import.meta.dir}/memory-rules-main.ts`;
    const { stdout } = Bun.spawnSync([process.execPath, main]);
    const { rules, grownBytes } = JSON.parse(stdout.toString());
    expect(rules).toBe(5_000);
    expect(grownBytes / rules).toBeLessThan(8 * 1024);
  });
});
