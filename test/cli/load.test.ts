/** Under load: nothing is lost, nothing is doubled, and never more than max_running commands run. */
import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { openPipe } from "../helpers/pipe.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { expectNoGap, linesOf, writeFiles } from "./support.ts";

const masks = { fanotify: "FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD", inotify: "IN_CLOSE_WRITE" };

/** Appends its argument to DIR/ran: one write(2), so that no run's line cuts another's. */
function countingScript(dir: TempDir): string {
  return dir.script("run", `echo "$1" >>${dir.join("ran")}`);
}

describe("reloading all the time", () => {
  /** Files are closed, and the table changes and is reloaded every 100 ms. @returns how often */
  async function churn(
    { dir, facron }: { dir: TempDir; facron: RunningBinary },
    { count, rule }: { count: number; rule: string },
  ): Promise<number> {
    const others = ["", `${dir.mkdir("b")} close_write\n`, `${dir.mkdir("in/sub")} create\n`];
    const everyMs = 100;
    const start = performance.now();
    let reloads = 0;
    for (let i = 0; i < count; i++) {
      writeFileSync(dir.join("in", `f${i}`), "");
      if (i % 50 === 0) await Bun.sleep(1); // spreads them over some reloads
      if (performance.now() - start < everyMs * (reloads + 1)) continue;
      reloads++;
      dir.write("facron.conf", `${"#\n".repeat(reloads % 7)}${others[reloads % 3]}${rule}`);
      facron.signal("SIGUSR1");
    }
    return reloads;
  }

  for (const backend of ["fanotify", "inotify"] as const) {
    test(`gives one line for each of 20,000 files, by ${backend}`, async () => {
      const dir = tempDir();
      const rule = `${dir.mkdir("in")} ${masks[backend]}\n`;
      await using facron = await runBinary(["-c", dir.write("facron.conf", rule)]).ready();
      const reloads = await churn({ dir, facron }, { count: 20_000, rule });
      await facron.waitForLog(/reloaded/);
      await facron.stop();
      const paths = facron.events.flatMap(({ path }) => (path?.includes("/in/f") ? [path] : []));
      expect(paths).toHaveLength(20_000);
      expect(new Set(paths).size).toBe(20_000);
      expectNoGap(facron);
      expect(reloads).toBeGreaterThan(3);
    });
  }

  test("runs one command for each of 2,000 files", async () => {
    const dir = tempDir();
    const rule = `${dir.mkdir("in")} close_write ${countingScript(dir)} $#\n`;
    await using facron = await runBinary(["-c", dir.write("facron.conf", rule)]).ready();
    await churn({ dir, facron }, { count: 2000, rule });
    await facron.stop("SIGTERM", 30_000);
    const ran = linesOf(dir.join("ran"));
    expect(ran).toHaveLength(2000);
    expect(new Set(ran).size).toBe(2000);
  });
});

describe("a burst of 1,000 files", () => {
  test("runs 1,000 commands", async () => {
    const dir = tempDir();
    const table = `${dir.mkdir("in")} close_write ${countingScript(dir)} $#\n`;
    await using facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    writeFiles(dir.join("in"), 1000);
    await waitFor(() => linesOf(dir.join("ran")).length === 1000, {
      what: "1,000 commands",
      deadlineMs: 30_000,
    });
    await facron.stop();
    expect(new Set(linesOf(dir.join("ran"))).size).toBe(1000);
    expect(facron.log.match(/ exited 0 after /g)).toHaveLength(1000);
    expectNoGap(facron);
  });

  test("runs 1,000 commands also when nobody reads stdout and stderr", async () => {
    const dir = tempDir();
    const table = `${dir.mkdir("in")} close_write ${countingScript(dir)} $#\n`;
    const [stdout, stderr] = [openPipe(), openPipe()];
    const file = dir.write("facron.conf", table);
    const facron = runBinary(["-c", file], {
      stdout: stdout.write.number,
      stderr: stderr.write.number,
    });
    for (const pipe of [stdout, stderr]) pipe.write.close();
    let tries = 0;
    await waitFor(() => linesOf(dir.join("ran")).length > 0 || void dir.write(`in/try${tries++}`), {
      what: "the first command",
    });
    writeFiles(dir.join("in"), 1000, "a-name-that-makes-lines-which-fill-a-pipe-".repeat(5));
    const ran = () => linesOf(dir.join("ran")).filter((name) => name.startsWith("a-name"));
    await waitFor(() => ran().length === 1000, { what: "1,000 commands", deadlineMs: 30_000 });
    facron.signal("SIGKILL"); // its end with a full stdout takes 10 s, and is time.test.ts's
  });
});

describe("max_running", () => {
  const limits = { "16 unless it is given": [[], 16], "as it is given": [["--max-running=3"], 3] };
  for (const [claim, [args, limit]] of Object.entries(limits) as [string, [string[], number]][]) {
    test(`is ${claim}: so many run, and never one more`, async () => {
      const dir = tempDir();
      const script = dir.script("run", `sleep 0.02; echo >>${dir.join("ran")}`);
      const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script}\n`);
      await using facron = await runBinary(["-c", file, ...args]).ready();
      const count = limit * 12;
      writeFiles(dir.join("in"), count);
      let most = 0;
      while (linesOf(dir.join("ran")).length < count) {
        most = Math.max(most, children(facron.pid));
        await Bun.sleep(0);
      }
      expect(most).toBe(limit);
      await facron.stop();
    });
  }
});

/** Of all threads: any of them may have started it. (proc_pid_task(5), "children".) */
function children(pid: number): number {
  const tasks = new Bun.Glob("*/children").scanSync({ cwd: `/proc/${pid}/task` });
  const texts = [...tasks].map((file) => readFileSync(`/proc/${pid}/task/${file}`, "utf8"));
  return texts
    .join(" ")
    .split(" ")
    .filter((child) => child !== "").length;
}
