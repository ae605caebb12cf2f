/**
 * Gates under the load of eight processes that open files as fast as they can: every verdict right, and
 * whatever happens to facron meanwhile, nobody is held for longer than the README says.
 *
 * FACRON_PROOF_SECONDS sets how long (3).
 */
import { expect } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { childrenOf, isAlive, linesOf, stopped } from "../cli/support.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { report } from "../helpers/report.ts";
import { waitFor } from "../helpers/wait-for.ts";
import {
  canOpen,
  denyGate,
  expectBounded,
  expectRight,
  heldMsMax,
  type Load,
  loadSeconds,
  makeLoad,
  pass,
  slackMs,
  startOpeners,
} from "./gate-load.ts";
import { proofTest } from "./proof.ts";

/** A line for each verdict would be some thousands a second, which these tests would have to keep. */
const quiet = '[facron]\ngate_log = "none"\n';

const timeoutMs = 120_000 + loadSeconds * 4_000;

async function facronWith(load: Load, text: string): Promise<RunningBinary> {
  return await runBinary(["-c", load.dir.write("facron.toml", quiet + text)]).ready();
}

/** The gate decides again, or decides no more. */
async function untilGate(load: Load, state: "denies" | "allows"): Promise<void> {
  await waitFor(() => canOpen(load.denied) === (state === "allows"), {
    what: `a gate that ${state}`,
    deadlineMs: heldMsMax + slackMs,
  });
}

proofTest(
  "every verdict is right",
  async () => {
    const load = makeLoad();
    await using facron = await facronWith(load, denyGate(load.tree));
    const openers = startOpeners(load);
    openers.start("deny");
    await pass(loadSeconds * 1000);
    expectRight("a gate that denies", await openers.end());
    expect(await facron.stop()).toEqual({ code: 0, signal: null });
  },
  timeoutMs,
);

proofTest(
  "kill -9 of facron: nobody is held, and all is allowed",
  async () => {
    const load = makeLoad();
    await using facron = await facronWith(load, denyGate(load.tree));
    const helpers = childrenOf(facron.pid);
    const openers = startOpeners(load);
    openers.start("deny");
    await pass(loadSeconds * 1000);
    expectRight("before kill -9", await openers.next("either"));
    facron.signal("SIGKILL");
    await untilGate(load, "allows");
    expectBounded("while it is killed", await openers.next("none"));
    await pass(1000);
    expectRight("after kill -9", await openers.end());
    await waitFor(() => !helpers.some(isAlive), { what: "the end of its helpers" });
  },
  timeoutMs,
);

proofTest(
  "SIGSTOP of facron: nobody is held for long, and after SIGCONT it decides again",
  async () => {
    setWatchdog(1);
    const load = makeLoad();
    await using facron = await facronWith(load, denyGate(load.tree));
    const openers = startOpeners(load);
    openers.start("deny");
    await pass(1000);
    expectRight("before SIGSTOP", await openers.next("either"));
    await stopped(facron);
    // Longer than anybody may be held: who waits until SIGCONT has waited too long.
    await pass(heldMsMax + slackMs + loadSeconds * 1000);
    facron.signal("SIGCONT");
    await untilGate(load, "denies");
    expectBounded("from SIGSTOP to SIGCONT", await openers.next("deny"));
    await pass(loadSeconds * 1000);
    expectRight("after SIGCONT", await openers.end());
  },
  timeoutMs,
);

/** The kernel's own watchdog says in its log who is slow, and changes nothing (Linux 6.18). */
function setWatchdog(seconds: number): void {
  const path = "/proc/sys/fs/fanotify/watchdog_timeout";
  try {
    const before = readFileSync(path, "utf8");
    writeFileSync(path, String(seconds));
    atTestEnd(() => writeFileSync(path, before));
  } catch {
    // an older kernel
  }
}

/** So many take the main thread about ten seconds to read. */
const rulesForTenSeconds = 100_000;

proofTest(
  "a main thread that is busy for seconds: the gate decides all the same",
  async () => {
    const load = makeLoad();
    const gate = denyGate(load.tree);
    await using facron = await facronWith(load, gate);
    const count = Math.min(rulesForTenSeconds, loadSeconds * 10_000);
    load.dir.write("facron.toml", quiet + gate + refusedRules(count));
    const openers = startOpeners(load);
    openers.start("deny");
    await pass(500);
    expectRight("before the main thread is busy", await openers.next("deny"));
    const begin = performance.now();
    facron.signal("SIGUSR1");
    facron.signal("SIGUSR2"); // asked now, told when the main thread comes to it
    await facron.waitForLog(/^facron: status: /m, 110_000);
    const busyMs = Math.round(performance.now() - begin);
    expectRight("while the main thread is busy", await openers.end());
    report("gates", "main thread", { rules: count, busyMs });
    expect(facron.log).toContain("Cannot reload: the configuration has errors");
    expect(busyMs).toBeGreaterThan(500); // else nothing was shown
  },
  timeoutMs,
);

/** All of them are read before the last is found wrong, and none is watched. */
function refusedRules(count: number): string {
  const rules = Array.from(
    { length: count },
    (_, n) =>
      `[[rule]]\nname = "r${n}"\nwatch = "/r${n}"\non = "close_write"\nrun = ["/bin/true"]\n`,
  );
  return `${rules.join("")}[[rule]]\nwatch = 1\n`;
}

proofTest(
  "reloads all the time: no verdict is wrong meanwhile",
  async () => {
    const load = makeLoad();
    const [gate, other] = [denyGate(load.tree), load.dir.mkdir("other")];
    const another = gate.replace("no bad", "other").replace(load.tree, other);
    const rule = `[[rule]]\nwatch = "${load.tree}"\nrecursive = true\non = "create"\nrun = ["/bin/true"]\n`;
    const versions = [gate, gate + another, another + gate, gate + rule];
    await using facron = await facronWith(load, gate);
    const openers = startOpeners(load);
    openers.start("deny");
    const end = performance.now() + loadSeconds * 1000;
    let reloads = 0;
    while (performance.now() < end) {
      // Whole or not at all: half a configuration would be one without the gate.
      const next = load.dir.write("next.toml", quiet + versions[++reloads % versions.length]!);
      renameSync(next, load.dir.join("facron.toml"));
      facron.signal("SIGUSR1");
      await pass(20);
    }
    expectRight("reloads all the time", await openers.end());
    report("gates", "reloads", { reloads });
    expect(await facron.stop()).toEqual({ code: 0, signal: null });
    expect(facron.log).not.toContain("error:");
  },
  timeoutMs,
);

proofTest(
  "commands of rules on the same tree open what the gate denies to others",
  async () => {
    const load = makeLoad();
    const [input, ran] = [`${load.tree}/d0`, load.dir.join("ran")];
    // A child, and an orphan of its own session: descendants all the same.
    const shell = `cat "${load.denied}" >>"${ran}"; setsid -f sh -c 'cat "${load.denied}" >>"${ran}"'`;
    const rule = `[[rule]]\nname = "reads"\nwatch = "${input}"\non = "create"\ninclude = "go*"\nshell = '''${shell}'''\n`;
    await using facron = await facronWith(load, denyGate(load.tree) + rule);
    const openers = startOpeners(load);
    openers.start("deny");
    const end = performance.now() + loadSeconds * 1000;
    let fired = 0;
    for (; performance.now() < end; fired++) {
      writeFileSync(`${input}/go${fired}`, "");
      await waitFor(() => linesOf(ran).length === 2 * (fired + 1), {
        what: `both reads of run ${fired}`,
        state: () => facron.log,
      });
    }
    expectRight("commands of rules open what is denied", await openers.end());
    report("gates", "commands of rules", { runs: fired });
  },
  timeoutMs,
);
