/** facron status and SIGUSR2: what is counted of real commands, and a socket that costs nobody anything. */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import type { StatusDocument } from "../../src/daemon/status-document.ts";
import { statusSchema } from "../../src/daemon/status-document.ts";
import { FuseServer } from "../helpers/fuse-server.ts";
import { startWithQueue } from "../helpers/queue-limit.ts";
import { needsRoot, requires } from "../helpers/requires.ts";
import { runBinary, type RunningBinary, type RunOptions } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, expectRefusal, linesOf, nobody, stopped, writeFiles } from "./support.ts";

const rootTest = needsRoot("has more than one user");

/** A rule on DIR/NAME whose command is this script: in DIR, with the path as $1. */
function ruleText(dir: TempDir, name: string, script: string, keys = ""): string {
  dir.mkdir(name);
  const program = dir.script(`run-${name}`, `cd ${dir.path}; ${script}`);
  return `[[rule]]
name = "${name}"
watch = "${dir.join(name)}"
on = "close_write"
run = ["${program}", "{path}"]
${keys}
`;
}

const untilGo = "while ! [ -e go ]; do sleep 0.01; done";

/** facron with its socket in DIR/run. */
function started(dir: TempDir, rules: string, options: RunOptions = {}): Promise<RunningBinary> {
  const settings = `[facron]\nruntime_dir = "${dir.join("run")}"\n`;
  return runBinary(["-c", dir.write("facron.toml", settings + rules)], options).ready();
}

/** What all facrons with a socket in DIR/run say. */
async function allIn(dir: TempDir): Promise<StatusDocument[]> {
  const { code, stdout, stderr } = await answerTo(["status", "--json", dir.join("run")]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  return lines.map((line) => statusSchema.parse(JSON.parse(line)));
}

async function statusIn(dir: TempDir): Promise<StatusDocument> {
  const [only, ...others] = await allIn(dir);
  expect(others).toEqual([]);
  return only!;
}

/** Asked again and again, until it is so. */
function statusWhen(
  dir: TempDir,
  what: string,
  isSo: (status: StatusDocument) => boolean,
): Promise<StatusDocument> {
  let last: StatusDocument | null = null;
  const ask = async () => {
    last = await statusIn(dir);
    return isSo(last) && last;
  };
  return waitFor(ask, { what, state: () => JSON.stringify(last) });
}

function ruleOf({ rules }: StatusDocument, name: string) {
  return rules.find((rule) => rule.name === name)!;
}

function socketsOf(dir: TempDir): string[] {
  return readdirSync(dir.join("run"));
}

describe("facron status counts", () => {
  test("what rules run, what waits, and how commands ended", async () => {
    using dir = tempDir();
    const facron = await started(
      dir,
      ruleText(dir, "works", "true") +
        ruleText(dir, "fails", "exit 7", 'retry = { times = 2, backoff = "10ms" }') +
        ruleText(dir, "waits", untilGo, 'max_running = 2\noutput = "log"') +
        `[[rule]]\nname = "emits"\nwatch = "${dir.join("works")}"\non = "close_write"\n`,
    );
    writeFiles(dir.join("works"), 20);
    writeFiles(dir.join("fails"), 2);
    writeFiles(dir.join("waits"), 10);
    const isDone = (status: StatusDocument): boolean =>
      ruleOf(status, "works").runs === 20 &&
      ruleOf(status, "fails").failed === 6 &&
      ruleOf(status, "waits").running === 2 &&
      status.running === 2;
    const status = await statusWhen(dir, "all of that to be run", isDone);
    const none = { retrying: 0, dropped: 0, skipped: 0, own: 0, suspended: 0 };
    expect(status).toMatchObject({
      ...{ v: 1, pid: facron.pid, state: "running", running: 2, max_running: 16, queued: 8 },
      configuration: [dir.join("facron.toml")],
      total: { events: 52, runs: 28, failed: 6, retried: 4, dropped: 0 },
    });
    expect(status.output).toEqual({ commands: 2 });
    expect(status.journal).toBeNull();
    expect(status.rules.map(({ name }) => name)).toEqual(["works", "fails", "waits", "emits"]);
    expect(ruleOf(status, "works")).toMatchObject({
      ...none,
      ...{ events: 20, runs: 20, running: 0, queued: 0, failed: 0, retried: 0 },
      last: { how: "exited 0" },
    });
    expect(ruleOf(status, "fails")).toMatchObject({
      ...none,
      ...{ events: 2, runs: 6, running: 0, queued: 0, failed: 6, retried: 4 },
      last: { how: "exited 7" },
    });
    expect(ruleOf(status, "waits")).toMatchObject({
      ...none,
      ...{ events: 10, runs: 2, running: 2, queued: 8, failed: 0, retried: 0, last: null },
    });
    expect(ruleOf(status, "emits")).toMatchObject({ runs_command: false, events: 20, runs: 0 });
    expect(status.reader).toMatchObject({ state: "reading", waits_for: null });
    const [backend, ...others] = status.reader.backends;
    expect(others).toEqual([]);
    expect(backend!.paths).toBe(3);
    expect(backend!.events).toBeGreaterThanOrEqual(32);
    dir.write("go");
    const after = await statusWhen(dir, "the end of all", ({ total }) => total.runs === 36);
    expect(after.queued).toBe(0);
    await statusWhen(dir, "their output to be read", ({ output }) => output?.commands === 0);
  });

  test("events of a rule without a command, also over a reload", async () => {
    using dir = tempDir();
    const emits = `[[rule]]\nname = "emits"\nwatch = "${dir.mkdir("in")}"\non = ["close_write", "rename"]\n`;
    const facron = await started(dir, emits);
    dir.write("in/a");
    await facron.waitForLines(1);
    renameSync(dir.join("in/a"), dir.join("in/b"));
    await facron.waitForLines(2);
    const settings = `[facron]\nruntime_dir = "${dir.join("run")}"\n`;
    dir.write("facron.toml", `${settings}${ruleText(dir, "other", "true")}${emits}`);
    facron.signal("SIGHUP");
    await facron.waitForLog(/reloaded/);
    dir.write("in/c");
    await facron.waitForLines(3);
    expect(ruleOf(await statusIn(dir), "emits")).toMatchObject({ events: 3, runs: 0 });
  });

  test("what the journal of durable rules keeps", async () => {
    using dir = tempDir();
    const rules =
      `state_dir = "${dir.join("state")}"\n` +
      ruleText(dir, "waits", untilGo, "durable = true\nmax_running = 1") +
      ruleText(dir, "fails", "exit 7", "durable = true");
    const facron = await started(dir, rules);
    writeFiles(dir.join("fails"), 2);
    writeFiles(dir.join("waits"), 3);
    const { journal } = await statusWhen(
      dir,
      "two that died, and three that wait or run",
      ({ journal }) => journal?.dead === 2 && journal.kept === 3 && journal.running === 1,
    );
    expect(journal!.file).toStartWith(dir.join("state/facron.toml-"));
    facron.signal("SIGUSR2");
    await facron.waitForLog(/status: journal: 3 events kept, 1 of them running, 2 given up\n/);
    dir.write("go");
    await statusWhen(dir, "the end of all", ({ journal }) => journal?.kept === 0);
  });

  test("how long events wait and commands run", async () => {
    using dir = tempDir();
    await started(dir, ruleText(dir, "slow", "sleep 0.2", "max_running = 1"));
    writeFiles(dir.join("slow"), 4);
    const status = await statusWhen(dir, "four runs", ({ total, running }) => {
      return total.runs === 4 && running === 0;
    });
    const { waited_ms: waited, ran_ms: ran } = ruleOf(status, "slow");
    expect(ran.p50).toBeWithin(0.9 * 200, 1000);
    expect(waited.p50).toBeWithin(0.9 * 200, 2000); // of four the second waits for one
    expect(waited.p99).toBeWithin(0.9 * 600, 5000); // the last for three
  });

  test("what is to be tried again, what is passed over, and what a full queue costs", async () => {
    using dir = tempDir();
    const facron = await started(
      dir,
      ruleText(
        dir,
        "tries",
        "exit 1",
        'retry = { times = 9, backoff = "1h", max_backoff = "1h" }',
      ) +
        ruleText(
          dir,
          "skips",
          `echo >>skipping; ${untilGo}`,
          'order = "rule"\nwhen_busy = "skip"',
        ) +
        ruleText(
          dir,
          "drops",
          `echo >>dropping; ${untilGo}`,
          'max_running = 1\nmax_queued = 3\nwhen_full = "drop_new"',
        ),
    );
    writeFiles(dir.join("tries"), 2);
    dir.write("skips/a");
    dir.write("drops/a");
    const isBusy = () => ["skipping", "dropping"].every((name) => existsSync(dir.join(name)));
    await waitFor(isBusy, { what: "both commands to run" });
    writeFiles(dir.join("skips"), 5);
    writeFiles(dir.join("drops"), 10);
    const status = await statusWhen(dir, "the counts", (one) => {
      const [tries, skips, drops] = one.rules;
      return tries!.retrying === 2 && skips!.events === 6 && drops!.events === 11;
    });
    expect(ruleOf(status, "tries")).toMatchObject({ runs: 2, failed: 2, retried: 2, running: 0 });
    expect(ruleOf(status, "skips")).toMatchObject({ events: 6, runs: 1, skipped: 5 });
    expect(ruleOf(status, "drops")).toMatchObject({ events: 11, runs: 1, queued: 3, dropped: 7 });
    dir.write("go");
    facron.signal("SIGKILL"); // two retries are an hour away
  });

  test("what a rule's own commands do, and the paths on which it goes in circles", async () => {
    using dir = tempDir();
    await started(
      dir,
      ruleText(dir, "rewrites", 'echo again >>"$1"') +
        ruleText(dir, "circles", 'echo again >>"$1"', 'loop = "allow"'),
    );
    dir.write("rewrites/a");
    dir.write("circles/a");
    const isSo = (one: StatusDocument): boolean =>
      ruleOf(one, "rewrites").own === 1 && ruleOf(one, "circles").suspended === 1;
    const status = await statusWhen(dir, "a loop and what would have been one", isSo);
    expect(ruleOf(status, "rewrites")).toMatchObject({ events: 2, runs: 1, suspended: 0 });
    expect(ruleOf(status, "circles")).toMatchObject({ own: 0, queued: 0, running: 0 });
    const { stdout } = await answerTo(["status", dir.join("run")]);
    expect(stdout).toMatch(/ QUEUED +OWN +SUSPENDED +WAITED /);
  });

  rootTest("the overflows of the kernel's queues", async () => {
    using dir = tempDir();
    const rules = ruleText(dir, "in", "true");
    const config = dir.write(
      "facron.toml",
      `[facron]\nruntime_dir = "${dir.join("run")}"\n${rules}`,
    );
    const facron = await startWithQueue("fanotify", 100, ["-c", config]);
    await stopped(facron);
    writeFiles(dir.join("in"), 1000);
    facron.signal("SIGCONT");
    await facron.waitForEvent("the loss", ({ events }) => events.includes("q_overflow"));
    const { reader } = await statusIn(dir);
    expect(reader.backends[0]).toMatchObject({ name: "fanotify", overflows: 1 });
  });

  test("a rule that a reload takes away while its command runs, and then no longer", async () => {
    using dir = tempDir();
    const kept = ruleText(dir, "kept", "true");
    const facron = await started(dir, kept + ruleText(dir, "gone", `echo >>begun; ${untilGo}`));
    dir.write("gone/a");
    await waitFor(() => existsSync(dir.join("begun")), { what: "the command to run" });
    const reload = async () => {
      const count = facron.log.match(/reloaded/g)?.length ?? 0;
      dir.write("facron.toml", `[facron]\nruntime_dir = "${dir.join("run")}"\n${kept}`);
      facron.signal("SIGUSR1");
      const isReloaded = () => (facron.log.match(/reloaded/g)?.length ?? 0) > count;
      await waitFor(isReloaded, { what: "the reload" });
    };
    await reload();
    const before = await statusIn(dir);
    expect(ruleOf(before, "gone")).toMatchObject({ removed: true, running: 1 });
    dir.write("go");
    await statusWhen(dir, "its end", ({ running }) => running === 0);
    await reload();
    expect((await statusIn(dir)).rules.map(({ name }) => name)).toEqual(["kept"]);
  });
});

describe("facron status asks", () => {
  test("every facron, or the one with that pid, and shows people a table", async () => {
    using dir = tempDir();
    const rules = ruleText(dir, "import", "true");
    const [one, two] = [await started(dir, rules), await started(dir, rules)];
    const pids = (await allIn(dir)).map(({ pid }) => pid);
    expect(pids.sort()).toEqual([one.pid, two.pid].sort());
    const env = { RUNTIME_DIRECTORY: dir.join("run") };
    const { code, stdout } = await answerTo(["status", "--pid", `${two.pid}`], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^facron \\S+, pid ${two.pid}, running since \\S+Z \\(\\S+\\)\n`),
    );
    expect(stdout).toContain(`\n  ${dir.join("facron.toml")}\n`);
    expect(stdout).toMatch(
      /^ {2}RULE +EVENTS +RUNS +RUNNING +QUEUED +WAITED +P99 +RAN +P99 +LAST$/m,
    );
    expect(stdout).toMatch(/^ {2}import +0 +0 +0 +0 +- +- +- +- +-$/m);
  });

  test("and says it where none answers: exit code 1", async () => {
    using dir = tempDir();
    const nothing = await answerTo(["status", dir.mkdir("run")]);
    expectRefusal(nothing, /No facron answers at ".*run": facron status alone finds/, 1);
    const missing = await answerTo(["status", dir.join("none.sock")]);
    expectRefusal(missing, /No facron answers at ".*none\.sock"/, 1);
    const gone = await answerTo(["status", "--pid", "4194305"]); // above any pid (proc(5), pid_max)
    expectRefusal(gone, /No facron with pid 4194305 can be asked: facron status alone finds/, 1);
  });

  test("nobody if the words are wrong: exit code 2", async () => {
    expectRefusal(await answerTo(["status", "--pid", "self"]), /Option --pid needs the number/);
    expectRefusal(await answerTo(["status", "--pid", "1", "/a"]), /Cannot use --pid and "\/a"/);
    expectRefusal(await answerTo(["status", "--jsn"]), /did you mean --json\?/);
    const wrong = await answerTo(["status", "-c", "/no/such.toml"]);
    expectRefusal(wrong, /Cannot read "\/no\/such.toml"/);
  });

  rootTest("no facron of another user, and says so", async () => {
    using dir = tempDir();
    chmodSync(dir.path, 0o755);
    await started(dir, ruleText(dir, "in", "true"));
    const refused = await answerTo(["status", dir.join("run")], nobody);
    expectRefusal(refused, /there is one of another user; ask as that user, or as root: sudo/, 1);
  });

  test("one that is stopped not for long, and the others all the same", async () => {
    using dir = tempDir();
    const rules = ruleText(dir, "in", "true");
    const [one, two] = [await started(dir, rules), await started(dir, rules)];
    await stopped(one);
    const { code, stdout, stderr } = await answerTo(["status", "--json", dir.join("run")]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).pid).toBe(two.pid);
    expect(stderr).toBe(
      `facron: warning: "${dir.join(`run/${one.pid}.sock`)}": no answer for 3 s\n`,
    );
    one.signal("SIGCONT");
  });

  test("what is no facron, and is told so", async () => {
    using dir = tempDir();
    const path = dir.join("other.sock");
    using other = Bun.listen({
      unix: path,
      socket: { data: (socket) => void socket.end('{"v":2,"name":"\x1b[2J"}\n') },
    });
    const { code, stdout, stderr } = await answerTo(["status", path]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("another version of facron answers: ask with that one");
    expect(other.unix).toBe(path);
  });

  requires({ root: "mounts a filesystem", tools: ["bindfs"] })(
    "one whose reader waits for a filesystem, which it says",
    async () => {
      using dir = tempDir();
      dir.mkdir("server");
      const share = await FuseServer.start(dir.join("server"), dir.join("share"));
      const rules = `[[rule]]
name = "polls"
watch = "${share.path}"
on = "close_write"
backend = "poll"
poll_interval = "50ms"
`;
      const facron = await started(dir, rules);
      await statusWhen(dir, "the paths", ({ reader }) => reader.backends.length === 1);
      share.stop();
      const { reader, rules: known } = await statusWhen(dir, "the reader to hang", (one) => {
        return one.reader.waits_for !== null;
      });
      expect(reader).toMatchObject({ state: "no answer", waits_for: share.path });
      expect(reader.backends).toMatchObject([{ name: "poll", paths: 1 }]); // as it was
      expect(known).toHaveLength(1);
      facron.signal("SIGUSR2");
      await facron.waitForLog(
        /status: the reader does not answer, as it waits for the filesystem of/,
      );
      share.resume();
      await statusWhen(dir, "the reader to go on", (one) => one.reader.state === "reading");
    },
  );
});

test("SIGUSR2 says in the log what is going on", async () => {
  using dir = tempDir();
  const rules = ruleText(dir, "works", "true") + ruleText(dir, "waits", untilGo, "max_running = 1");
  const facron = await started(dir, rules);
  writeFiles(dir.join("works"), 3);
  writeFiles(dir.join("waits"), 3);
  await statusWhen(dir, "the runs", ({ total, running }) => total.runs === 4 && running === 1);
  facron.signal("SIGUSR2");
  await facron.waitForLog(/^facron: status: rule "waits": .*$/m);
  const lines = facron.log.split("\n").filter((line) => line.includes("status: "));
  expect(lines[0]).toMatch(/: 1 of 16 commands running, 2 events queued$/);
  expect(lines[1]).toMatch(/^facron: status: (fanotify|inotify) 2 paths, 2 marks, \d+ events$/);
  expect(lines[2]).toMatch(
    /"works": 3 events, 3 runs, 0 running, 0 queued; last exited 0; waited \S+, p99 \S+; ran \S+, p99 \S+$/,
  );
  expect(lines[3]).toMatch(/"waits": 3 events, 1 run, 1 running, 2 queued; waited \S+, p99 \S+$/);
  expect(lines).toHaveLength(4);
  dir.write("go");
});

describe("the socket", () => {
  test("is its user's alone, and goes with facron", async () => {
    using dir = tempDir();
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const facron = await started(dir, ruleText(dir, "in", "true"));
      expect(socketsOf(dir)).toEqual([`${facron.pid}.sock`]);
      const { mode } = statSync(dir.join(`run/${facron.pid}.sock`));
      expect((mode & 0o7777).toString(8)).toBe("600");
      await facron.stop(signal);
      expect(socketsOf(dir)).toEqual([]);
    }
  });

  test("of a facron that was killed is taken away by the next, and by facron status", async () => {
    using dir = tempDir();
    const rules = ruleText(dir, "in", "true");
    const killed = await started(dir, rules);
    await killed.stop("SIGKILL");
    expect(socketsOf(dir)).toEqual([`${killed.pid}.sock`]);
    const next = await started(dir, rules);
    const isAlone = () => socketsOf(dir).join() === `${next.pid}.sock`;
    await waitFor(isAlone, { what: "the dead socket to go" });
    await next.stop("SIGKILL");
    dir.write("run/1.sock", "this is no socket");
    expectRefusal(await answerTo(["status", dir.join("run")]), /No facron answers/, 1);
    expect(socketsOf(dir)).toEqual(["1.sock"]);
  });

  test("goes to where a reload wants it", async () => {
    using dir = tempDir();
    const rules = ruleText(dir, "in", "true");
    const facron = await started(dir, rules);
    dir.write("facron.toml", `[facron]\nruntime_dir = "${dir.join("other")}"\n${rules}`);
    facron.signal("SIGUSR1");
    await facron.waitForLog(/reloaded/);
    expect(socketsOf(dir)).toEqual([]);
    expect(readdirSync(dir.join("other"))).toEqual([`${facron.pid}.sock`]);
    const { code } = await answerTo([
      "status",
      "-c",
      dir.join("facron.toml"),
      "--pid",
      `${facron.pid}`,
    ]);
    expect(code).toBe(0);
  });

  test("is where systemd wants it, before all others", async () => {
    using dir = tempDir();
    const env = { RUNTIME_DIRECTORY: `${dir.mkdir("systemd")}:/other` };
    const facron = await started(dir, ruleText(dir, "in", "true"), { env });
    expect(readdirSync(dir.join("systemd"))).toEqual([`${facron.pid}.sock`]);
    expect(existsSync(dir.join("run"))).toBe(false);
  });

  rootTest(
    "of a user is in that user's runtime directory, and missed where there is none",
    async () => {
      using dir = tempDir();
      chmodSync(dir.path, 0o755);
      const XDG_RUNTIME_DIR = dir.mkdir("user");
      chownSync(XDG_RUNTIME_DIR, nobody.uid, nobody.gid);
      const config = dir.write("table.conf", `${dir.mkdir("in")} IN_CLOSE_WRITE /bin/true\n`);
      const facron = await runBinary(["-c", config], {
        ...nobody,
        env: { XDG_RUNTIME_DIR },
      }).ready();
      expect(readdirSync(dir.join("user/facron"))).toEqual([`${facron.pid}.sock`]);
      const options = { ...nobody, env: { XDG_RUNTIME_DIR } };
      expect((await answerTo(["status", "--pid", `${facron.pid}`], options)).code).toBe(0);
      const without = await runBinary(["-c", config], nobody).ready();
      expect(without.log).toContain(
        "facron: No socket for facron status: XDG_RUNTIME_DIR is not set; set it, or runtime_dir under [facron]; SIGUSR2 works\n",
      );
    },
  );

  test.each([
    ["is a file", "a file", /it cannot be made in ".*a file": (file exists|not a directory);/],
    ["has too long a name", "x".repeat(300), /it cannot be made in ".*": file name too long;/],
  ])("is missed if its directory %s: once, and facron goes on", async (_, name, says) => {
    using dir = tempDir();
    dir.write("a file");
    const rules = ruleText(dir, "in", "echo >>ran");
    const text = `[facron]\nruntime_dir = "${dir.join(name)}"\n${rules}`;
    const facron = await runBinary(["-c", dir.write("facron.toml", text)]).ready();
    expect(facron.log).toMatch(says);
    facron.signal("SIGUSR1");
    await facron.waitForLog(/reloaded/);
    expect(facron.log.match(/No socket for facron status/g)).toHaveLength(1);
    dir.write("in/a");
    await waitFor(() => linesOf(dir.join("ran")).length === 1, { what: "the command" });
  });

  test("may be deeper than the 107 bytes of an address (unix(7))", async () => {
    using dir = tempDir();
    const deep = dir.join("x".repeat(200));
    const text = `[facron]\nruntime_dir = "${deep}"\n${ruleText(dir, "in", "true")}`;
    const facron = await runBinary(["-c", dir.write("facron.toml", text)]).ready();
    expect(readdirSync(deep)).toEqual([`${facron.pid}.sock`]);
    const { code, stdout } = await answerTo(["status", "--json", deep]);
    expect([code, JSON.parse(stdout).pid]).toEqual([0, facron.pid]);
  });

  test("is not handed down to commands", async () => {
    using dir = tempDir();
    const facron = await started(dir, ruleText(dir, "in", "ls -l /proc/$$/fd >fds; echo >ran"));
    dir.write("in/a");
    await waitFor(() => existsSync(dir.join("ran")), { what: "the command" });
    const sockets = linesOf(dir.join("fds")).flatMap((line) => /socket:.*/.exec(line) ?? []);
    const stderr = readlinkSync(`/proc/${facron.pid}/fd/2`); // may be one, which the test has made
    expect(sockets.filter((one) => one !== stderr)).toEqual([]);
  });
});

describe("a client of the socket that", () => {
  /** What it got until the end, and when that was. */
  async function connected(path: string, says: string, { reads = true } = {}) {
    const { promise, resolve } = Promise.withResolvers<{ text: string; ms: number }>();
    const since = performance.now();
    let text = "";
    const socket = await Bun.connect({
      unix: path,
      socket: {
        data: (_, bytes) => void (text += bytes.toString()),
        close: () => resolve({ text, ms: performance.now() - since }),
      },
    });
    if (!reads) socket.pause();
    socket.write(says);
    return { end: promise, socket };
  }

  test("says something else is left at once", async () => {
    using dir = tempDir();
    const { pid } = await started(dir, ruleText(dir, "in", "true"));
    const path = dir.join(`run/${pid}.sock`);
    for (const words of ["GET / HTTP/1.1\r\n\r\n", "status please\n", "\n", "x".repeat(100_000)]) {
      const { text, ms } = await (await connected(path, words)).end;
      expect(text).toBe("");
      expect(ms).toBeLessThan(2000);
    }
    expect((await statusIn(dir)).pid).toBe(pid);
  });

  test("asks in pieces, and has no more to say, is answered", async () => {
    using dir = tempDir();
    const { pid } = await started(dir, ruleText(dir, "in", "true"));
    const { end, socket } = await connected(dir.join(`run/${pid}.sock`), "sta");
    socket.write("tus\n");
    socket.shutdown();
    expect(JSON.parse((await end).text).pid).toBe(pid);
  });

  test("says nothing, or never reads, is left after 5 s, and costs nothing until then", async () => {
    using dir = tempDir();
    // More than the kernel keeps for a socket: 3,000 rules.
    const rules = Array.from(
      { length: 3000 },
      (_, i) =>
        `[[rule]]\nname = "${i}"\nwatch = "${dir.path}"\non = "delete"\nrun = ["/bin/true"]\n`,
    );
    const { pid } = await started(dir, rules.join(""));
    const path = dir.join(`run/${pid}.sock`);
    const fds = () => readdirSync(`/proc/${pid}/fd`).length;
    const before = fds();
    const silent = await Promise.all(Array.from({ length: 8 }, () => connected(path, "")));
    const deaf = await Promise.all(
      Array.from({ length: 8 }, () => connected(path, "status\n", { reads: false })),
    );
    const tooMany = await Promise.all(
      Array.from({ length: 50 }, () => connected(path, "").catch(() => null)),
    );
    for (const one of tooMany) if (one !== null) expect((await one.end).ms).toBeLessThan(3000);
    expect(fds()).toBeLessThanOrEqual(before + 16);
    for (const { end } of silent) expect((await end).ms).toBeWithin(4000, 9000);
    await waitFor(() => fds() === before, { what: "all of them to be left" });
    for (const { socket } of deaf) socket.terminate();
    expect((await statusIn(dir)).rules).toHaveLength(3000);
  }, 30_000);
});

test("facron watch has a socket too, and says nothing if it can't", async () => {
  using dir = tempDir();
  const env = { RUNTIME_DIRECTORY: dir.join("run") };
  const facron = await runBinary(["watch", dir.mkdir("in")], { env }).ready();
  const status = await statusIn(dir);
  expect(status).toMatchObject({ pid: facron.pid, configuration: [] });
  expect(status.rules).toMatchObject([{ name: "watch", runs_command: false }]);
  writeFileSync(dir.join("no directory"), "");
  const other = { RUNTIME_DIRECTORY: dir.join("no directory") };
  const without = await runBinary(["watch", dir.join("in")], { env: other }).ready();
  expect(without.log).not.toContain("socket");
});
