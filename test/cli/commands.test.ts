/** Commands of every kind: what the log says of them, where their output goes, what they inherit. */
import { isRoot } from "../helpers/requires.ts";
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { runBinary, type RunningBinary, type RunOptions } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { by, childrenOf, isAlive, linesOf, statusOf } from "./support.ts";

interface Running {
  readonly dir: TempDir;
  readonly facron: RunningBinary;
}

/** facron, running `command` for a file that is closed in DIR/in, which happens once. */
async function running(
  commandIn: (dir: TempDir) => string,
  options: RunOptions = {},
): Promise<Running> {
  const dir = tempDir();
  const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${commandIn(dir)}\n`);
  const facron = await runBinary(["-c", file], options).ready();
  dir.write("in/a");
  return { dir, facron };
}

/** The same with a shell script. */
function runningScript(body: string, options: RunOptions = {}): Promise<Running> {
  return running((dir) => dir.script("run", body.replaceAll("DIR", dir.path)), options);
}

/** It still runs commands and ends when asked to. */
async function expectGoesOn({ dir, facron }: Running): Promise<void> {
  const before = facron.log.length;
  dir.write("in/b");
  await waitFor(() => facron.log.slice(before).includes('rule "facron.conf:1"'), {
    what: "the log of the next command",
    state: () => facron.log,
  });
  expect(await facron.stop()).toEqual({ code: 0, signal: null });
  expect(facron.events).toHaveLength(2);
}

describe("a command that cannot be started is one line of the log that says why:", () => {
  const refused: Record<string, [(dir: TempDir) => string, RegExp]> = {
    "it does not exist": [(dir) => dir.join("no"), /no such file$/],
    "it is not executable": [(dir) => dir.write("run"), /not executable/],
    "it is a directory": [(dir) => dir.mkdir("run"), /it is a directory/],
    "it has no #!": [(dir) => dir.write("run", "echo\n", { mode: 0o755 }), /no #! line/],
    "it is empty": [(dir) => dir.write("run", "", { mode: 0o755 }), /empty/],
    "its interpreter does not exist": [
      (dir) => dir.write("run", "#!/no/such\n", { mode: 0o755 }),
      /interpreter "\/no\/such"/,
    ],
    "it has DOS line ends": [
      (dir) => dir.write("run", "#!/bin/sh\r\necho\r\n", { mode: 0o755 }),
      /DOS line ends/,
    ],
    "it is searched for in PATH": [() => "ls", /PATH is not searched/],
    "its argument is longer than the kernel takes": [
      (dir) => `${dir.script("run", "")} ${"x".repeat(200_000)}`,
      /too long/,
    ],
  };
  for (const [claim, [command, reason]] of Object.entries(refused)) {
    test(claim, async () => {
      const { dir, facron } = await running(command);
      const [line] = await facron.waitForLog(/^facron: error: rule "facron\.conf:1": .*$/m);
      expect(line).toMatch(/Cannot start "/);
      expect(line).toMatch(reason);
      await expectGoesOn({ dir, facron });
    });
  }
});

describe("the end of a command is one line of the log:", () => {
  const endings = {
    "exit 0": [
      "exit 0",
      /^facron: rule "facron\.conf:1": ".*\/run" exited 0 after \d+ ms \(pid \d+\)$/m,
    ],
    "exit 3": ["exit 3", /^facron: warning: rule .* exited 3 after \d+ ms \(pid \d+\)$/m],
    "a signal": ["kill -SEGV $$", /^facron: warning: rule .* was killed by SIGSEGV after \d+ ms/m],
    "a signal without a name": [
      "kill -34 $$",
      /^facron: warning: rule .* was killed by .*34 after/m,
    ],
  } satisfies Record<string, [string, RegExp]>;
  for (const [claim, [body, line]] of Object.entries(endings)) {
    test(claim, async () => {
      const { dir, facron } = await runningScript(body);
      await facron.waitForLog(line);
      await expectGoesOn({ dir, facron });
    });
  }

  test("with its time in milliseconds", async () => {
    const { facron } = await runningScript("sleep 0.3");
    const [, ms] = await facron.waitForLog(/exited 0 after (\d+) ms/);
    expect(Number(ms)).toBeGreaterThanOrEqual(300);
  });

  test("when it leaves a child behind, at its own end", async () => {
    const { dir, facron } = await runningScript(
      "[ -e DIR/child ] && exit; sleep 100 & echo $! >DIR/child",
    );
    await facron.waitForLog(/exited 0/);
    const [child] = linesOf(dir.join("child")).map(Number);
    expect(isAlive(child!)).toBe(true);
    process.kill(child!, "SIGKILL");
    await expectGoesOn({ dir, facron });
  });

  test("when it forks and the children end before it, without a zombie", async () => {
    const { dir, facron } = await runningScript("for i in 1 2 3; do true & done; wait");
    await facron.waitForLog(/exited 0/);
    expect(childrenOf(facron.pid)).toEqual([]);
    await expectGoesOn({ dir, facron });
  });
});

describe("a command", () => {
  test("has its stdout and stderr at facron's stderr, never in the stream", async () => {
    const { facron } = await runningScript("echo to-stdout; echo to-stderr >&2");
    await facron.waitForLog(/^to-stdout$/m);
    await facron.waitForLog(/^to-stderr$/m);
    await facron.stop();
    expect(facron.lines).toHaveLength(1);
  });

  test("that writes JSON lines and closes its stdout does neither to facron's", async () => {
    const { dir, facron } = await runningScript(`echo '{"v":1,"seq":99}'; exec >&-`);
    await expectGoesOn({ dir, facron });
    expect(facron.events.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  test("reads the end of the file on stdin", async () => {
    const options = { stdin: "not for you\n" };
    const { facron } = await runningScript(`read line; echo "read $? [$line]"`, options);
    await facron.waitForLog(/^read 1 \[\]$/m);
  });

  test("reads the end of the file although facron's stdin is closed", async () => {
    const { facron } = await runningScript(`cat; echo "cat $?"`, by(`exec "$0" "$@" <&-`));
    await facron.waitForLog(/^cat 0$/m);
  });

  test("leads a process group of its own, without a terminal", async () => {
    const { dir, facron } = await runningScript("exec cat /proc/self/stat >DIR/stat");
    await facron.waitForLog(/exited 0/);
    const fields = readFileSync(dir.join("stat"), "utf8").split(" ");
    const [pid, group, terminal] = [fields[0], fields[4], fields[6]];
    expect({ group, terminal }).toEqual({ group: pid, terminal: "0" });
  });
});

describe("a command inherits", () => {
  // Without a glob, which would open one. sh keeps its script at 10.
  const listDescriptors =
    "i=0; while [ $i -lt 100 ]; do [ -e /proc/$$/fd/$i ] && echo $i; i=$((i + 1)); done";
  const usual = ["0", "1", "2", "10"];

  /** What the script wrote. @param options how facron is started */
  async function inherited(body: string, options: RunOptions = {}): Promise<string[]> {
    const { dir, facron } = await runningScript(`exec >DIR/inherited; ${body}`, options);
    await facron.waitForLog(/exited 0/);
    return linesOf(dir.join("inherited"));
  }

  test("no descriptor but 0, 1 and 2", async () => {
    const fds = await inherited(listDescriptors);
    expect(fds).toEqual(usual);
  });

  test("no descriptor of a name that is not UTF-8 either", async () => {
    const dir = tempDir();
    const list = `exec >${dir.join("fds")}; ${listDescriptors}`;
    const script = dir.script("run", list);
    const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script} $$\n`);
    await using facron = await runBinary(["-c", file]).ready();
    Bun.spawnSync(["/bin/sh", "-c", `>"${dir.path}/in/$(printf '\\351')"`]);
    await facron.waitForLog(/exited 0/);
    expect(linesOf(dir.join("fds"))).toEqual(usual);
  });

  test("not what somebody left open when facron was started", async () => {
    const options = by(`exec 7</etc/passwd 8>/dev/null; exec "$0" "$@"`);
    const fds = await inherited(listDescriptors, options);
    expect(fds).toEqual(usual);
  });

  test("the usual limit of open files, and not the one that Bun raises", async () => {
    const options = by(`ulimit -S -n 1024; "$0" "$@"`); // its parent keeps that limit
    expect(await inherited("ulimit -S -n", options)).toEqual(["1024"]);
  });

  test("every signal at its default, and none blocked", async () => {
    const status = await inherited("exec cat /proc/self/status");
    expect(status.filter((line) => /^Sig(Blk|Ign|Cgt):/.test(line))).toEqual(
      ["SigBlk", "SigIgn", "SigCgt"].map((name) => `${name}:\t${"0".repeat(16)}`),
    );
  });

  test("the environment, unchanged but for what tells of the event", async () => {
    const another = { FACRON_FROM: "of another facron", FACRON_PATH: "/of another facron" };
    const options = { env: { FACRON_TEST_ODD: " a=b\tc ", EMPTY: "", ...another } };
    const environment = await inherited("exec cat /proc/self/environ | tr '\\0' '\\n'", options);
    const given = environment.filter((line) => !/^(PWD|OLDPWD|_|SHLVL)=/.test(line)).sort();
    expect(given.map((line) => line.split("=")[0])).toEqual([
      "EMPTY",
      "FACRON_DIR",
      "FACRON_EVENTS",
      "FACRON_NAME",
      "FACRON_PATH",
      ...(isRoot() ? ["FACRON_PID"] : []),
      "FACRON_RULE",
      "FACRON_SEQ",
      "FACRON_TEST_MARK",
      "FACRON_TEST_ODD",
      "LANG",
      "PATH",
    ]);
    expect(given).toContain("FACRON_TEST_ODD= a=b\tc ");
  });

  test("facron's working directory", async () => {
    const dir = tempDir();
    expect(await inherited("pwd", { cwd: dir.path })).toEqual([dir.path]);
  });

  test("the umask and the nice value", async () => {
    const options = by(`umask 027; exec nice -n 5 "$0" "$@"`);
    expect(await inherited("{ umask; nice; }", options)).toEqual(["0027", "5"]);
  });
});

test("a relative program is found in facron's working directory", async () => {
  const dir = tempDir();
  dir.script("bin/run", "echo it ran");
  dir.mkdir("in");
  dir.write("facron.conf", "in close_write bin/run\n");
  await using facron = await runBinary(["-c", "facron.conf"], { cwd: dir.path }).ready();
  dir.write("in/a");
  await facron.waitForLog(/^it ran$/m);
});

test("facron holds no descriptor of commands that have ended", async () => {
  const { dir, facron } = await runningScript("true");
  await facron.waitForLog(/exited 0/);
  const before = readdirSync(`/proc/${facron.pid}/fd`).length;
  for (let i = 0; i < 200; i++) dir.write(`in/${i}`);
  await waitFor(() => (facron.log.match(/exited 0/g) ?? []).length === 201, { what: "201 ends" });
  expect(readdirSync(`/proc/${facron.pid}/fd`).length).toBeLessThanOrEqual(before);
  expect(statusOf(facron.pid)?.["State"]).toStartWith("S");
});
