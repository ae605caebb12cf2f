/** The guard against the kernel: nobody waits longer than the bound, whatever happens to facron. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FuseServer } from "../helpers/fuse-server.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { waitBoundMs } from "../../src/gate/pulse.ts";
import {
  buildOpeners,
  GuardScene,
  hasEnded,
  hasGroup,
  isBlocked,
  isReading,
  killNow,
  statusOf,
} from "./guard-scene.ts";

const gateTest = requires({ root: "opens a permission group", tools: ["cc"] });
const fuseTest = requires({ root: "opens a permission group", tools: ["cc", "bindfs"] });
const openers = buildOpeners();

/** The guard's own bound is 1.8 s; a machine that runs other tests beside may add to it. */
const longestMs = waitBoundMs + 500;

/** Longer than anybody waits who waits for the guard. */
const clearlyMs = 3_000;

describe("while facron is stopped", () => {
  gateTest(
    "everybody gets on within two seconds, and verdicts are right again afterwards",
    async () => {
      const scene = await GuardScene.start(openers);
      const before = await scene.open({ forMs: 200 });
      const during = scene.open({ forMs: 3_000 });
      scene.signal("SIGSTOP");
      const tally = await during;
      scene.signal("SIGCONT");
      const after = await scene.open({ forMs: 500 });
      expect([before.passed, before.failed, after.passed, after.failed]).toEqual([0, 0, 0, 0]);
      expect(tally.longestMs).toBeLessThan(longestMs);
      expect(tally.passed).toBeGreaterThan(0);
      expect(after.longestMs).toBeLessThan(waitBoundMs / 2);
      await waitFor(() => scene.log.includes("without a verdict"), { what: "the log to say it" });
    },
  );

  gateTest("what waited for a command gets on too", async () => {
    const scene = await GuardScene.start(openers);
    const held = scene.open({ processes: 1, name: "hold" });
    await waitFor(() => scene.holds, { what: "the question to be read" });
    await Bun.sleep(clearlyMs); // facron is well, and it is held
    const stoppedAt = performance.now();
    scene.signal("SIGSTOP");
    const { longestMs: waited } = await held;
    expect(performance.now() - stoppedAt).toBeLessThan(longestMs);
    expect(waited).toBeGreaterThan(clearlyMs);
  });

  gateTest("kill -9 lets everybody go on, and the guard ends", async () => {
    const scene = await GuardScene.start(openers);
    const guard = scene.guardPid!;
    scene.signal("SIGSTOP");
    const during = scene.open();
    scene.signal("SIGKILL");
    expect((await during).longestMs).toBeLessThan(longestMs);
    await waitFor(() => hasEnded(guard), { what: "the guard's end" });
  });

  gateTest(
    "the kernel's watchdog has nothing to complain of",
    async () => {
      using _watchdog = setWatchdog(watchdogSeconds);
      const complains = async (...options: string[]): Promise<boolean> => {
        const scene = await GuardScene.start(openers, ...options);
        const threads = readdirSync(`/proc/${scene.pid}/task`);
        const held = scene.open({ processes: 1, name: "hold" });
        await waitFor(() => scene.holds, { what: "the question to be read" });
        scene.signal("SIGSTOP");
        await Bun.sleep(watchdogSeconds * 2_000 + 500);
        scene.signal("SIGKILL");
        await held;
        const said = Bun.spawnSync(["dmesg"]).stdout.toString();
        return threads.some((thread) => said.includes(`PID ${thread} (Worker) failed to respond`));
      };
      expect([await complains("--no-guard"), await complains()]).toEqual([true, false]);
    },
    60_000,
  );
});

/** The kernel looks so often, and complains of what it has seen twice. */
const watchdogSeconds = 2;

/** fs.fanotify.watchdog_timeout (Linux 6.18), in seconds. */
function setWatchdog(seconds: number): Disposable {
  const file = "/proc/sys/fs/fanotify/watchdog_timeout";
  const before = readFileSync(file, "utf8");
  writeFileSync(file, String(seconds));
  return { [Symbol.dispose]: () => writeFileSync(file, before) };
}

describe("a gate thread that hangs", () => {
  gateTest("is answered for while the main thread goes on, which says so", async () => {
    const scene = await GuardScene.start(openers);
    const hung = await scene.open({ processes: 1, name: "hang" });
    const others = await scene.open({ forMs: 500 });
    expect(hung.longestMs).toBeLessThan(longestMs);
    expect(others.longestMs).toBeLessThan(longestMs);
    await waitFor(() => scene.log.includes("without a verdict"), { what: "the log to say it" });
  });

  for (const killed of [false, true]) {
    const name = killed ? ", also on its way from kill -9 to its end" : "";
    fuseTest(`in a FUSE filesystem whose server waits for it is set free${name}`, async () => {
      const scene = await GuardScene.start(openers);
      using dir = tempDir();
      dir.write("source/allow");
      await using fuse = await FuseServer.start(dir.join("source"), dir.join("mount"));
      await scene.mark(fuse.path);
      await scene.mark(dir.join("source"));
      // The kernel opens the file for the gate thread, by way of the server, which opens another for it.
      const during = scene.open({ processes: 1, name: "allow", directory: fuse.path });
      await waitFor(() => isReading(scene.pid), { what: "the gate thread to hang in read(2)" });
      if (killed) scene.signal("SIGKILL");
      expect((await during).longestMs).toBeLessThan(longestMs);
      await waitFor(() => hasEnded(scene.pid) === killed, { what: "its end" });
    });
  }
});

describe("the guard", () => {
  gateTest("that is killed is started again", async () => {
    const scene = await GuardScene.start(openers);
    const first = scene.guardPid!;
    killNow(first);
    const second = await waitFor(() => scene.guardPid !== first && scene.guardPid, {
      what: "another guard",
      state: () => scene.log,
    });
    await waitFor(() => hasGroup(second), { what: "it to watch" });
    scene.signal("SIGSTOP");
    expect((await scene.open()).longestMs).toBeLessThan(longestMs);
    expect(scene.log).toContain("Gates are without a guard: it was killed by SIGKILL");
    expect(hasEnded(second)).toBe(false);
  });

  gateTest("has no number for its questions that facron's may have", async () => {
    const scene = await GuardScene.start(openers);
    const ours = readdirSync(`/proc/${scene.guardPid}/fd`)
      .map(Number)
      .toSorted((a, b) => a - b);
    const lowest = 16_384;
    expect(ours.slice(0, lowest - 1)).toEqual(Array.from({ length: lowest - 1 }, (_, fd) => fd));
  });

  gateTest("that is stopped is started again", async () => {
    const scene = await GuardScene.start(openers);
    const first = scene.guardPid!;
    process.kill(first, "SIGSTOP");
    await waitFor(() => hasEnded(first) && scene.guardPid, { what: "another", deadlineMs: 15_000 });
    expect(scene.log).toContain("it has not moved for 5 s");
  });

  gateTest("that is stopped with facron does not outlive its end", async () => {
    const scene = await GuardScene.start(openers);
    const guard = scene.guardPid!;
    scene.signal("SIGSTOP");
    process.kill(guard, "SIGSTOP");
    const during = scene.open();
    scene.signal("SIGKILL");
    expect((await during).longestMs).toBeLessThan(longestMs);
    await waitFor(() => hasEnded(guard), { what: "the guard's end" });
  });

  gateTest("does not end by what a supervisor sends to all of facron's processes", async () => {
    const scene = await GuardScene.start(openers);
    const guard = scene.guardPid!;
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const)
      process.kill(guard, signal);
    scene.signal("SIGSTOP");
    expect((await scene.open()).longestMs).toBeLessThan(longestMs);
    expect(scene.guardPid).toBe(guard);
  });

  gateTest("that cannot be started is told, and verdicts are given all the same", async () => {
    const scene = await GuardScene.start(openers, "--broken-guard");
    const { passed, failed } = await scene.open({ forMs: 200 });
    expect([passed, failed]).toEqual([0, 0]);
    expect(scene.log).toContain("Gates are without a guard: it exited 1; until it runs again");
  });

  gateTest("ends when it is stopped by facron, which has the group alone again", async () => {
    const scene = await GuardScene.start(openers);
    const guard = scene.guardPid!;
    scene.tell("stop");
    await waitFor(() => hasEnded(scene.pid), { what: "the listener's end" });
    expect(hasEnded(guard)).toBe(true);
  });
});

const straceTest = requires({ root: "traces the guard", tools: ["cc", "strace"] });

straceTest("the guard opens nothing once it has the group, also not while it answers", async () => {
  const scene = await GuardScene.start(openers);
  using dir = tempDir();
  const trace = dir.join("trace");
  const calls = "--trace=open,openat,openat2,open_by_handle_at,execve,execveat,write";
  const pid = String(scene.guardPid);
  const strace = Bun.spawn(["strace", "-f", "-qq", calls, "-o", trace, "-p", pid], {
    stdout: "ignore",
  });
  const isTraced = () => statusOf(Number(pid), "TracerPid") === String(strace.pid);
  await waitFor(isTraced, { what: "strace to be attached" });
  scene.signal("SIGSTOP");
  await scene.open({ forMs: 3_000 });
  scene.signal("SIGCONT");
  await scene.open({ forMs: 1_000 });
  strace.kill("SIGINT");
  await strace.exited;
  const lines = readFileSync(trace, "utf8").split("\n");
  expect(lines.filter((line) => / write\(/.test(line)).length).toBeGreaterThan(0);
  expect(lines.filter((line) => / (open|exec)/.test(line))).toEqual([]);
});

describe("a child of facron's that waits in execve for a verdict, when facron is killed", () => {
  const isFree = async (...options: string[]): Promise<boolean> => {
    const scene = await GuardScene.start(openers, ...options);
    scene.tell(`start ${join(scene.directory, "hold-program")}`);
    const child = await waitFor(() => scene.programPid, { what: "the child" });
    await waitFor(() => isBlocked(child), { what: "the child to wait" });
    scene.signal("SIGKILL");
    await Bun.sleep(clearlyMs);
    killNow(child);
    return existsSync(join(scene.directory, "made"));
  };

  gateTest("runs, as it has closed the group", async () => {
    expect(await isFree()).toBe(true);
  });

  gateTest("would wait for ever if it had not, as it keeps the group open itself", async () => {
    expect(await isFree("--inherit")).toBe(false);
  });
});
