/** What commands of the built binary write, read and leave behind. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = needsRoot("makes cgroups");

/** One rule, "import", for what is written in DIR/in. */
async function facronWith(dir: TempDir, run: string, more = ""): Promise<RunningBinary> {
  const watched = dir.mkdir("in");
  const config = dir.write(
    "facron.toml",
    `[[rule]]\nname = "import"\nwatch = "${watched}"\non = "close_write"\nshell = '''${run}'''\n${more}\n`,
  );
  return runBinary(["-c", config]).ready();
}

/** The log's lines of the command's output. */
const linesOf = ({ log }: RunningBinary): string[] =>
  [...log.matchAll(/^facron: rule "import" \[pid \d+\]: (.*)$/gm)].map(([, line]) => line!);

function memoryOf(pid: number, name: "VmHWM" | "VmRSS"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)![1]) * 1024;
}

describe("a command that writes 1 GiB", () => {
  test("to the log is read to the end, and facron does not grow with it", async () => {
    using dir = tempDir();
    await using facron = await facronWith(dir, "head -c 1G /dev/zero", 'output = "log"');
    const before = memoryOf(facron.pid, "VmRSS");
    writeFileSync(dir.join("in/a"), "");
    await facron.waitForLog(/exited 0 after/, 60_000);
    const [, bytes] = await facron.waitForLog(/(\d+) bytes of its output were thrown away/);
    expect(Number(bytes) + 8192).toBeLessThanOrEqual(2 ** 30);
    expect(Number(bytes)).toBeGreaterThan(2 ** 30 - 512 * 1024);
    expect(linesOf(facron).length).toBe(1); // the first 8 KiB, of a line without an end
    expect(memoryOf(facron.pid, "VmHWM") - before).toBeLessThan(40 * 2 ** 20);
  });

  test("in lines has a thousand of them in the log, and others get their turn meanwhile", async () => {
    using dir = tempDir();
    const script = `case $FACRON_NAME in flood) yes hello | head -c 1G;; *) echo "$FACRON_NAME";; esac`;
    await using facron = await facronWith(dir, script, 'output = "log"');
    writeFileSync(dir.join("in/flood"), "");
    await facron.waitForLog(/hello/);
    writeFileSync(dir.join("in/other"), "");
    await facron.waitForLog(/\]: other$/m);
    await facron.waitForLog(/thrown away: more than 1000 lines or 256 KiB in 10 s/, 60_000);
    const lines = linesOf(facron).filter((line) => line === "hello");
    expect(lines.length).toBeGreaterThanOrEqual(1000);
    expect(lines.length).toBeLessThan(6000); // it may take more than 10 s on a busy machine
  });
});

describe("the end of facron", () => {
  test("comes after the last lines of its commands", async () => {
    using dir = tempDir();
    const script =
      'trap "echo told to end; exit 0" TERM; echo begun; while :; do sleep 0.01; done 2>/dev/null';
    const more = 'output = "log"';
    await using facron = await facronWith(dir, script, more);
    writeFileSync(dir.join("in/a"), "");
    await facron.waitForLog(/begun/);
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    facron.signal("SIGTERM"); // no grace
    expect(await facron.exit()).toEqual({ code: 0, signal: null });
    expect(linesOf(facron)).toEqual(["begun", "told to end"]);
  });
});

describe("a command with a timeout", () => {
  rootTest(
    "in a cgroup leaves nothing behind, whatever it ignores and wherever it hides",
    async () => {
      using dir = tempDir();
      const pids = dir.write("pids");
      const script =
        `trap "" TERM; sh -c "echo \\$\\$ >>${pids}; exec sleep 1000" & ` +
        `setsid sh -c "echo \\$\\$ >>${pids}; exec sleep 1000" & echo $$ >>${pids}; wait`;
      const more = 'cgroup = true\ntimeout = "300ms"\nkill_after = "100ms"';
      await using facron = await facronWith(dir, script, more);
      writeFileSync(dir.join("in/a"), "");
      await facron.waitForLog(/timeout/);
      await facron.waitForLog(/was killed by SIGKILL/);
      const started = readFileSync(pids, "utf8").trim().split("\n");
      expect(started.length).toBe(3);
      for (const pid of started) {
        await waitFor(() => !existsSync(`/proc/${pid}`), { what: `the end of ${pid}` });
      }
    },
  );
});

describe("a command that makes itself a daemon", () => {
  test("and closes everything is over for facron, and the next one runs", async () => {
    using dir = tempDir();
    const pids = dir.write("pids");
    const daemon = `exec <&- >&- 2>&-; cd /; echo \\$\\$ >>${pids}; exec sleep 1000`;
    const script = `echo started; setsid sh -c "${daemon}" &`;
    await using facron = await facronWith(dir, script, 'output = "log"\norder = "rule"');
    for (const name of ["a", "b"]) writeFileSync(dir.join("in", name), "");
    await waitFor(() => facron.log.split("exited 0 after").length === 3, { what: "both ends" });
    await waitFor(() => readFileSync(pids, "utf8").split("\n").length === 3, { what: "daemons" });
    expect(linesOf(facron)).toEqual(["started", "started"]);
  });
});

describe("a cgroup that can't be made", () => {
  test("is said at the start, with its rules and the cure", async () => {
    using dir = tempDir();
    const config = dir.write(
      "facron.toml",
      `[[rule]]\nname = "import"\nwatch = "${dir.mkdir("in")}"\non = "close_write"\n` +
        `run = ["/bin/true"]\nmemory_max = "64MiB"\n`,
    );
    Bun.spawnSync(["chmod", "-R", "a+rX", dir.path]);
    const nobody = process.geteuid!() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    await using facron = await runBinary(["-c", config], nobody).ready();
    expect(facron.log).toMatch(
      /^facron: error: Cannot (make a cgroup|limit commands|give commands a cgroup).*\(rule "import": its commands will not be run\)$/m,
    );
    for (const name of ["a", "b", "c"]) dir.write(`in/${name}`);
    await facron.waitForLines(3);
    facron.signal("SIGUSR2"); // what comes after it is logged after the events
    await facron.waitForLog(/status: rule "import": 3 events, 0 runs, .* 3 failed/);
    expect(facron.log.match(/: error: rule "import": Cannot .* cgroup/g)).toHaveLength(1);
  });
});
