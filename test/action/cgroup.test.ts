/** Commands with a cgroup of their own, on whatever versions this system has mounted. */
import { describe, expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Cgroup, cgroupTrouble } from "../../src/action/cgroup.ts";
import { processesIn } from "../../src/action/cgroup-files.ts";
import { cgroupHomes } from "../../src/action/cgroup-mounts.ts";
import { handDown } from "../../src/action/cgroup-place.ts";
import { endingText } from "../../src/action/ending.ts";
import type { CgroupLimits } from "../../src/rule/policy.ts";
import { addAccount } from "../helpers/account.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { as, run, sh, startTest } from "./support.ts";

const read = (name: string): string => readFileSync(`/proc/self/${name}`, "utf8");
const homes = cgroupHomes(read("mountinfo"), read("cgroup"));
const everyHome = [...new Set(Object.values(homes))].filter((home) => home !== null);

const cgroupTest = requires({
  root: "makes cgroups",
  missing: () => cgroupTrouble({ memoryMax: 2 ** 30, pidsMax: 1000 }),
});
const unifiedTest = requires({
  root: "makes cgroups",
  missing: () => (homes.unified === null ? "needs cgroup2 to be mounted" : null),
});

const compilerTest = requires({
  root: "makes cgroups",
  tools: ["cc"],
  missing: () => cgroupTrouble({}),
});
const namespaceTest = requires({
  root: "makes cgroups and mount namespaces",
  tools: ["unshare", "setpriv"],
  missing: () => cgroupTrouble({}),
});

const alice = addAccount();
const mebibyte = 2 ** 20;
const inCgroup = (limits: CgroupLimits) => ({ surroundings: { cgroup: limits } });

function hasUnified(controller: string): boolean {
  if (homes.unified === null) return false;
  const handed = readFileSync(`${homes.unified}/cgroup.controllers`, "utf8");
  return handed.trim().split(" ").includes(controller);
}

/** Cgroups that this process has made and that are still there. */
function ours(): string[] {
  const mine = new RegExp(`^facron\\.${process.pid}\\.`);
  return everyHome.flatMap((home) => readdirSync(home).filter((name) => mine.test(name)));
}

describe("a command in a cgroup of its own", () => {
  cgroupTest(
    "is in it with all that it starts, also as another user, and it is removed",
    async () => {
      for (const more of [{}, { runAs: as(alice.name) }]) {
        const limits = { memoryMax: 64 * mebibyte, pidsMax: 10 };
        const { output } = await sh("cat /proc/self/cgroup | cat", {
          ...more,
          ...inCgroup(limits),
        });
        const names = [...output.matchAll(/\/(facron\.[\d.]+)$/gm)].map(([, name]) => name);
        expect(names.length).toBe(everyHome.length);
        expect(new Set(names).size).toBe(1);
      }
      expect(ours()).toEqual([]);
    },
  );

  cgroupTest("is killed as it takes more memory than it may, and its ending says so", async () => {
    const script = `exec awk 'BEGIN { s = "x"; while (1) s = s s }'`;
    const { ending } = await sh(script, inCgroup({ memoryMax: 32 * mebibyte }));
    expect(endingText(ending!)).toBe("was killed: it used more than memory_max (32 MiB)");
    expect(ours()).toEqual([]);
  });

  cgroupTest("may outlive what it starts, which has used more memory", async () => {
    const script = `awk 'BEGIN { s = "x"; while (1) s = s s }'; exit 3`;
    const { ending } = await sh(script, inCgroup({ memoryMax: 32 * mebibyte }));
    const text = endingText(ending!);
    // The whole command is killed at once where version 2 has the controller.
    expect(text).toBe(
      hasUnified("memory")
        ? "was killed: it used more than memory_max (32 MiB)"
        : "exited 3 (what it started was killed: it used more than memory_max, 32 MiB)",
    );
  });

  cgroupTest("lives within its limits without a word", async () => {
    const { ending } = await sh("true | true", inCgroup({ memoryMax: 64 * mebibyte, pidsMax: 8 }));
    expect(ending).toEqual({ kind: "exited", code: 0 });
  });

  cgroupTest("gets no more processes than it may, and its ending says so", async () => {
    const script = "true & true & true & true & true & wait";
    const { ending, output } = await sh(script, inCgroup({ pidsMax: 2 }));
    expect(output).toContain("fork");
    expect(endingText(ending!)).toMatch(
      /^exited \d+ \(it wanted more processes than pids_max, 2\)$/,
    );
  });

  cgroupTest("is told apart from a helper that has too little memory to start it", async () => {
    const { error, ending } = await run(["/bin/true"], inCgroup({ memoryMax: 4096 }));
    // It is luck whether the helper needs one more page between its cgroup and its last word.
    if (error === null)
      expect(endingText(ending!)).toBe("was killed: it used more than memory_max (4 KiB)");
    else expect(error).toContain("memory_max, 4 KiB, is too little to start anything; raise it");
    expect(ours()).toEqual([]);
  });
});

/** Starts grandchildren that ignore SIGTERM: one in its group, one in a session of its own. */
function stubborn(directory: string): string {
  return (
    `trap "" TERM; sh -c "exec sleep 1000" & echo $! >${directory}/group; ` +
    `setsid sh -c 'echo $$ >${directory}/session; exec sleep 1000' & wait`
  );
}

const runs = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
};

async function pidIn(path: string): Promise<number> {
  const text = await waitFor(() => existsSync(path) && readFileSync(path, "utf8").trim(), {
    what: path,
  });
  return text === "" ? pidIn(path) : Number(text);
}

describe("SIGKILL for a command that ignores SIGTERM", () => {
  cgroupTest("ends all of its cgroup, what has left its group and its session too", async () => {
    using dir = tempDir();
    const { started, ending } = startTest(["/bin/sh", "-c", stubborn(dir.path)], inCgroup({}));
    const pids = [await pidIn(dir.join("group")), await pidIn(dir.join("session"))];
    started.signal(15);
    expect(pids.map(runs)).toEqual([true, true]);
    expect(started.isGone()).toBe(false);
    started.signal(9);
    expect(await ending).toEqual({ kind: "killed", signal: "SIGKILL" });
    await waitFor(() => started.isGone(), { what: "the end of its cgroup" });
    expect(pids.map(runs)).toEqual([false, false]);
    started.release();
    expect(ours()).toEqual([]);
  });

  cgroupTest("without one ends its group, and not what has left that", async () => {
    using dir = tempDir();
    const { started, ending } = startTest(["/bin/sh", "-c", stubborn(dir.path)], {});
    const group = await pidIn(dir.join("group"));
    const session = await pidIn(dir.join("session"));
    atTestEnd(() => void process.kill(session, "SIGKILL"));
    started.signal(9);
    await ending;
    await waitFor(() => started.isGone(), { what: "the end of its group" });
    expect([runs(group), runs(session)]).toEqual([false, true]);
  });
});

/** Writes an "x" for each signal 40, of which the kernel merges no two (signal(7), "Real-time signals"). */
const counter = `
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
int main(int argc, char **argv) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, 40);
  sigprocmask(SIG_BLOCK, &set, 0);
  int fd = open(argv[1], O_WRONLY | O_CREAT, 0644);
  while (sigwaitinfo(&set, 0) == 40) write(fd, "x", 1);
}`;

describe("a signal for a command in a cgroup", () => {
  compilerTest("comes once to each of its processes", async () => {
    using dir = tempDir();
    const program = dir.join("counter");
    Bun.spawnSync(["cc", "-w", "-o", program, dir.write("counter.c", counter)]);
    const script = `setsid ${program} ${dir.join("b")} & exec ${program} ${dir.join("a")}`;
    const { started } = startTest(["/bin/sh", "-c", script], inCgroup({}));
    const both = ["a", "b"].map((name) => dir.join(name));
    await waitFor(() => both.every((path) => existsSync(path)), { what: "both counters" });
    for (const times of [1, 2, 3]) {
      started.signal(40);
      const seen = () => both.map((path) => readFileSync(path, "utf8"));
      const enough = () => seen().every(({ length }) => length >= times);
      await waitFor(enough, { what: `signal ${times}`, state: () => seen().join(" ") });
      expect(seen()).toEqual(Array(2).fill("x".repeat(times)));
    }
  });
});

describe("what is left of a cgroup", () => {
  cgroupTest("runs on in it, and it is removed with a later command", async () => {
    using dir = tempDir();
    const script = `setsid sleep 1000 >/dev/null 2>&1 & echo $! >${dir.join("pid")}`;
    const { started, ending } = startTest(["/bin/sh", "-c", script], inCgroup({ pidsMax: 10 }));
    expect(await ending).toEqual({ kind: "exited", code: 0 });
    const pid = await pidIn(dir.join("pid"));
    expect(started.isGone()).toBe(false);
    started.release();
    expect(runs(pid)).toBe(true);
    expect(ours().length).toBeGreaterThan(0);
    started.signal(9);
    await waitFor(() => started.isGone(), { what: "the end of what was left" });
    new Cgroup({}).remove();
    expect(ours()).toEqual([]);
  });

  cgroupTest("also goes if the command has made cgroups in it", async () => {
    const script = "mkdir -p /sys/fs/cgroup/$(grep ^0:: /proc/self/cgroup | cut -d: -f3)/a/b";
    const { output, ending } = await sh(
      script.replace("/sys/fs/cgroup", homes.unified ?? homes.pids!),
      inCgroup({}),
    );
    expect({ output, ending }).toEqual({ output: "", ending: { kind: "exited", code: 0 } });
    expect(ours()).toEqual([]);
  });

  cgroupTest(
    "of a facron that was killed is removed by the next, unless it is in use",
    async () => {
      const home = everyHome[0]!;
      const gone = [`facron.${await pidOfTheDead()}.1.0`, `facron.${process.pid}.1.0`];
      const used = `facron.${await pidOfTheDead()}.2.0`;
      for (const name of [...gone, used]) mkdirSync(`${home}/${name}`);
      const sleeper = Bun.spawn(["sleep", "1000"]);
      writeFileSync(`${home}/${used}/cgroup.procs`, String(sleeper.pid));
      atTestEnd(async () => {
        sleeper.kill("SIGKILL");
        await sleeper.exited;
        await waitFor(() => removed(`${home}/${used}`), { what: "the end of the cgroup" });
      });
      const next = `import { cgroupTrouble } from "./src/action/cgroup.ts"; console.log(cgroupTrouble({}));`;
      const { stdout } = Bun.spawnSync([process.execPath, "-e", next]);
      expect(stdout.toString()).toBe("null\n");
      expect(gone.map((name) => existsSync(`${home}/${name}`))).toEqual([false, false]);
      expect(existsSync(`${home}/${used}`)).toBe(true);
    },
  );
});

async function pidOfTheDead(): Promise<number> {
  const child = Bun.spawn(["true"]);
  await child.exited;
  return child.pid;
}

function removed(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

describe("handing controllers down", () => {
  unifiedTest("moves facron out of the way, as a service with Delegate= has to", async () => {
    const controllers = readFileSync(`${homes.unified}/cgroup.controllers`, "utf8").trim();
    const controller = controllers.split(" ")[0]!;
    expect(controller).not.toBe("");
    const control = `${homes.unified}/cgroup.subtree_control`;
    const wasHanded = readFileSync(control, "utf8").trim().split(" ").includes(controller);
    handDown(homes.unified!, [controller]);
    if (!wasHanded) atTestEnd(() => writeFileSync(control, `-${controller}`));
    const home = `${homes.unified}/facron-test-${process.pid}`;
    mkdirSync(home);
    const main = join(import.meta.dir, "cgroup-main.ts");
    const argv = [process.execPath, main, "join-and-wait", home, controller];
    const { stdout, stderr } = Bun.spawnSync(argv);
    expect(stderr.toString()).toBe("");
    const path = `/facron-test-${process.pid}/facron`;
    const cgroups = stdout.toString().trim().split("\n");
    expect(cgroups.length).toBe(3); // facron, who waits for it, and its command
    for (const cgroup of cgroups) expect(cgroup).toEndWith(path);
    expect(readFileSync(`${home}/cgroup.subtree_control`, "utf8")).toBe(`${controller}\n`);
    expect(processesIn(home)).toEqual([]);
    await waitFor(() => removed(`${home}/facron`) && removed(home), { what: "an empty cgroup" });
  });
});

describe("on other systems", () => {
  /** What `cgroup-main.ts` says, where the mounts have been changed like that. */
  const elsewhere = (change: string, command = "trouble", uid = 0): string => {
    const main = join(import.meta.dir, "cgroup-main.ts");
    const before = uid === 0 ? "" : `setpriv --reuid ${uid} --regid ${uid} --clear-groups `;
    const script = `${change}; exec ${before}${process.execPath} ${main} ${command}`;
    const { stdout, stderr } = Bun.spawnSync(["unshare", "-m", "sh", "-c", script]);
    expect(stderr.toString()).toBe("");
    return stdout.toString().trim();
  };
  const unmountAll = "umount $(grep -E ' - cgroup2? ' /proc/self/mountinfo | cut -d' ' -f5)";
  const without = ", or take cgroup, memory_max and pids_max out of the rules";

  namespaceTest("all processes are found and killed without version 2", () => {
    const change = homes.unified === null ? ":" : `umount ${mountOf("cgroup2")}`;
    expect(elsewhere(change, "kill")).toBe("sleeps before: 2, after: 0");
  });

  namespaceTest("nothing can be done without cgroups, and that is said", () => {
    expect(elsewhere(unmountAll)).toBe(
      `Cannot give commands a cgroup: facron's own is not visible under /sys/fs/cgroup; mount it there (mount -t cgroup2 none /sys/fs/cgroup)${without}`,
    );
    expect(elsewhere(unmountAll, "limits")).toBe(
      "Cannot limit commands by memory_max: facron's own cgroup has no memory controller; set Delegate=yes in its unit, or take memory_max out of the rules",
    );
  });

  namespaceTest("a mount that is read-only is said", () => {
    const home = everyHome[0]!;
    const mount = mountOf(homes.unified === null ? "cgroup" : "cgroup2");
    expect(elsewhere(`mount -o remount,ro,bind ${mount}`)).toBe(
      `Cannot make a cgroup for commands in "${home}": it is mounted read-only; mount it writable for facron's container, or take ProtectControlGroups= out of its unit`,
    );
  });

  namespaceTest("a facron without privilege says so", () => {
    expect(elsewhere(":", "trouble", 65_534)).toBe(
      `Cannot make a cgroup for commands in "${everyHome[0]}": permission denied; run facron as root or with Delegate=yes in its unit${without}`,
    );
  });
});

/** Where the first of a type is mounted. */
function mountOf(type: string): string {
  const line = read("mountinfo")
    .split("\n")
    .find((one) => one.includes(` - ${type} `));
  return line!.split(" ")[4]!;
}
