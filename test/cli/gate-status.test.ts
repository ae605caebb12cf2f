/** What facron status says of gates: real verdicts, counted; and a gate thread that does not answer. */
import { describe, expect } from "bun:test";
import { type StatusDocument, statusSchema } from "../../src/daemon/status-document.ts";
import { denied, gated, outcome } from "../gate/gated.ts";
import { mountImage } from "../helpers/mount.ts";
import { requires } from "../helpers/requires.ts";
import type { RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, statusOf } from "./support.ts";

const rootTest = requires({ root: "gates" });
const straceTest = requires({ root: "gates", tools: ["strace"] });

function started(dir: TempDir, gates: string): Promise<RunningBinary> {
  return gated(`[facron]\nruntime_dir = "${dir.join("run")}"\n${gates}`);
}

async function gatesIn(dir: TempDir): Promise<StatusDocument["gates"]> {
  const { stdout } = await answerTo(["status", "--json", dir.join("run")]);
  return statusSchema.parse(JSON.parse(stdout)).gates;
}

function gateOn(dir: TempDir, name: string, decision: string): string {
  return `[[gate]]\nname = "${name}"\nwatch = "${dir.mkdir(name)}"\non = "open_perm"\n${decision}\n`;
}

describe("facron status", () => {
  rootTest("counts what gates decide, and why, and times their commands", async () => {
    using dir = tempDir();
    mountImage(dir.mkdir("asks"), "ext4"); // where answers are kept
    const no = dir.script("no", "exit 1");
    const never = dir.script("never", "exec sleep 60");
    const decisions = {
      denies: 'verdict = "deny"',
      asks: `ask = ["${no}"]\ncache = "1h"`,
      late: `ask = ["${never}"]\ntimeout = "100ms"\non_timeout = "deny"`,
      broken: `ask = ["${dir.join("none")}"]`,
    };
    const text = Object.entries(decisions).map(([name, decision]) => gateOn(dir, name, decision));
    const files = Object.keys(decisions).map((name) => dir.write(`${name}/file`));
    await using facron = await started(dir, text.join(""));
    const [first, asks, late, broken] = files as [string, string, string, string];
    expect([outcome("cat", first), outcome("cat", first)]).toEqual([denied, denied]);
    expect(outcome("cat", late)).toBe(denied);
    expect(outcome("cat", broken)).toBe("ok");
    const isCached = async () => {
      expect(outcome("cat", asks)).toBe(denied);
      return (await gatesIn(dir))!.list[1]!.cached > 0;
    };
    await waitFor(isCached, { what: "an answer from the cache" });
    const { state, as_of: at, passed_over: passed, list } = (await gatesIn(dir))!;
    expect({ state, passed, isTimed: at !== null }).toEqual({
      ...{ state: "deciding", passed: 0, isTimed: true },
    });
    const none = { allowed: 0, denied: 0, cached: 0, timed_out: 0, failed: 0, waiting: 0, runs: 0 };
    expect(list[0]).toMatchObject({ ...none, name: "denies", denied: 2 });
    expect(list[1]).toMatchObject({ name: "asks", allowed: 0, timed_out: 0, failed: 0 });
    expect(list[1]!.runs + list[1]!.cached).toBe(list[1]!.denied);
    expect(list[1]!.ran_ms.p99).toBeGreaterThan(0);
    expect(list[2]).toMatchObject({ ...none, name: "late", denied: 1, timed_out: 1, runs: 1 });
    expect(list[3]).toMatchObject({ ...none, name: "broken", allowed: 1, failed: 1 });
    facron.signal("SIGUSR2");
    await facron.waitForLog(/status: gate "denies": 0 allowed, 2 denied$/m);
    await facron.waitForLog(/status: gate "late": 0 allowed, 1 denied, 1 timed out, 1 run/);
  });

  rootTest("tells who waits, and of a facron without gates nothing", async () => {
    using dir = tempDir();
    const ask = dir.script("ask", "exec sleep 60");
    const text = gateOn(dir, "asks", `ask = ["${ask}"]\ntimeout = "50s"`);
    const file = dir.write("asks/file");
    await using _ = await started(dir, text);
    const waiting = Bun.spawn(["cat", file], { stdout: "ignore", stderr: "ignore" });
    const isHeld = async () => (await gatesIn(dir))!.list[0]!.waiting === 1;
    await waitFor(isHeld, { what: "the process that waits" });
    waiting.kill("SIGKILL");
    using other = tempDir();
    await using _without = await started(
      other,
      `[[rule]]\nwatch = "${other.mkdir("w")}"\non = "create"\n`,
    );
    expect(await gatesIn(other)).toBeNull();
  });

  straceTest(
    "answers while the gate thread does not, and says so, and how often the guard did",
    async () => {
      using dir = tempDir();
      const file = dir.write("denies/file");
      await using facron = await started(dir, gateOn(dir, "denies", 'verdict = "deny"'));
      const slow = ["-qq", "-e", "trace=readlinkat", "-e", "inject=readlinkat:delay_enter=4000000"];
      const strace = Bun.spawn(["strace", "-f", ...slow, "-o", "/dev/null", "-p", `${facron.pid}`]);
      const isTraced = () => statusOf(facron.pid)?.["TracerPid"] === String(strace.pid);
      await waitFor(isTraced, { what: "strace to be attached" });
      const opening = Bun.spawn(["cat", file], { stdout: "ignore", stderr: "ignore" });
      const hangs = async () => (await gatesIn(dir))!.state === "no answer";
      await waitFor(hangs, { what: "the gate thread to hang" });
      expect(await opening.exited).toBe(0); // the guard has answered
      await waitFor(async () => !(await hangs()), { what: "the gate thread to go on" });
      expect((await gatesIn(dir))!.passed_over).toBe(1);
      strace.kill("SIGINT");
      await strace.exited;
    },
  );
});
