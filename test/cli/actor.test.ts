/** Who did it, as the built binary tells it: in lines, to commands, as a filter, and over reloads. */
import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { startProcess, type TestProcess } from "../helpers/processes.ts";
import { needsRoot } from "../helpers/requires.ts";
import {
  binaryPath,
  type EventLine,
  runBinary,
  type RunningBinary,
} from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, expectNoGap, linesOf, nobody, stopped } from "./support.ts";

const rootTest = needsRoot("watches by fanotify");

/** Writes each file that it is told, and lives on. */
const writing = 'while read file; do echo x >"$file"; done';

function writer(...before: readonly string[]): TestProcess {
  return startProcess([...before, "sh", "-c", writing]);
}

/** A directory that everybody may write to. */
function openDir(): TempDir {
  const dir = tempDir();
  chmodSync(dir.path, 0o777);
  return dir;
}

function watching(dir: TempDir, ...args: readonly string[]): Promise<RunningBinary> {
  return runBinary(["watch", "--actor", "-e", "close_write", ...args, dir.path]).ready();
}

function closed(facron: RunningBinary, path: string): Promise<EventLine> {
  return facron.waitForEvent(path, (event) => event.path === path);
}

const shell = realpathSync(Bun.which("sh")!);

describe("facron watch --actor", () => {
  rootTest("tells name, program and user of a process of somebody else", async () => {
    const dir = openDir();
    await using facron = await watching(dir);
    const process = writer("setpriv", "--reuid", String(nobody.uid), "--clear-groups");
    process.line(dir.join("a"));
    const event = await closed(facron, dir.join("a"));
    expect(event).toMatchObject({ pid: process.pid, comm: "sh", exe: shell, uid: nobody.uid });
    expect(Object.keys(event).slice(-4)).toEqual(["pid", "comm", "exe", "uid"]);
  });

  rootTest("tells what a process has become, and not what it was", async () => {
    const dir = tempDir();
    await using facron = await watching(dir, "-e", "create");
    const program = `read a; echo x >"$a"; read b; exec tee "$b"`;
    const { pid, line } = startProcess(["sh", "-c", program]);
    line(dir.join("a"));
    expect(await closed(facron, dir.join("a"))).toMatchObject({ pid, comm: "sh" });
    line(dir.join("b"));
    const exe = realpathSync(Bun.which("tee")!);
    expect(await closed(facron, dir.join("b"))).toMatchObject({ pid, comm: "tee", exe });
  });

  rootTest("tells a name with any bytes, readable and exact", async () => {
    const dir = tempDir();
    await using facron = await watching(dir);
    const named = `printf '\\377"\\n\\\\' >/proc/$$/comm; ${writing}`;
    startProcess(["sh", "-c", named]).line(dir.join("a"));
    const event = await closed(facron, dir.join("a"));
    expect(event).toMatchObject({ comm: '\ufffd"\n\\', exe: shell });
    expect(event["comm_bytes"]).toBe(btoa('\xff"\n\\'));
    expect(event).not.toContainKey("exe_bytes");
  });

  rootTest("tells nothing of a process that has ended by then", async () => {
    const dir = tempDir();
    await using facron = await watching(dir);
    await stopped(facron);
    Bun.spawnSync(["sh", "-c", `echo x >${dir.join("a")}`]);
    facron.signal("SIGCONT");
    const event = await closed(facron, dir.join("a"));
    expect(event["pid"]).toBeGreaterThan(0);
    expect(Object.keys(event).at(-1)).toBe("pid");
  });

  rootTest("leaves no descriptor open, of records that many at once did", async () => {
    const dir = tempDir();
    const few = ["prlimit", "--nofile=48:48", binaryPath];
    const words = ["watch", "--actor", "-e", "close_write", dir.path];
    await using facron = await runBinary(words, { command: few }).ready();
    const open = () => readdirSync(`/proc/${facron.pid}/fd`).length;
    const before = open();
    await stopped(facron);
    const process = startProcess([
      "sh",
      "-c",
      `read d; for i in $(seq 2000); do : >$d/$i; done; read x`,
    ]);
    process.line(dir.path);
    await waitFor(() => readdirSync(dir.path).length === 2000, { what: "2000 files" });
    facron.signal("SIGCONT");
    await facron.waitForLines(2000);
    expect(facron.events.every(({ comm }) => comm === "sh")).toBe(true);
    await waitFor(() => open() === before, { what: "no descriptor more than before" });
    expect(facron.log).not.toContain("warning");
  });

  rootTest("says how to see the programs of other users, if it may not", async () => {
    const dir = openDir();
    const less = ["setpriv", "--inh-caps=-sys_ptrace", "--bounding-set=-sys_ptrace", binaryPath];
    const words = ["watch", "--actor", "-e", "close_write", dir.path];
    await using facron = await runBinary(words, { command: less }).ready();
    writer("setpriv", "--reuid", String(nobody.uid), "--clear-groups").line(dir.join("a"));
    const event = await closed(facron, dir.join("a"));
    expect(event).toMatchObject({ comm: "sh", uid: nobody.uid });
    expect(event).not.toContainKey("exe");
    await facron.waitForLog(/^facron: warning: Cannot look at other users' .*CAP_SYS_PTRACE$/m);
  });

  test("says with inotify that nobody knows", async () => {
    const dir = tempDir();
    await using facron = await watching(dir, "--backend", "inotify");
    dir.write("a");
    expect(Object.keys(await closed(facron, dir.join("a"))).at(-1)).toBe("path");
    expect(facron.log).toContain(
      `facron: warning: Rule "watch" has no comm, exe and uid for "${dir.path}": inotify does not tell who did it; fanotify does, as root`,
    );
  });
});

function rule(dir: TempDir, name: string, more: string): string {
  return `[[rule]]\nname = "${name}"\nwatch = "${dir.join("in")}"\non = "close_write"\n${more}\n`;
}

/** Which rules each file made fire. */
function firedFor(facron: RunningBinary, name: string): unknown {
  return facron.events.find(({ path }) => path?.endsWith(`/${name}`))?.["rules"];
}

describe("a rule with actor", () => {
  rootTest("hands to its command who did it, and to no other's", async () => {
    const dir = tempDir();
    dir.mkdir("in");
    const show = (name: string) =>
      `shell = 'env | grep -a "^FACRON_[CEU][OXI]" | sort >${dir.join(name)}'`;
    const config = dir.write(
      "facron.toml",
      rule(dir, "asks", `actor = true\n${show("asks")}`) +
        rule(
          dir,
          "words",
          `actor = true\nrun = ["${dir.script("words", `echo "$@" >${dir.join("said")}`)}", "{comm}", "{uid}:{exe}"]`,
        ) +
        rule(dir, "asks not", show("not")),
    );
    await using facron = await runBinary(["-c", config]).ready();
    writer().line(dir.join("in/a"));
    await waitFor(() => facron.log.match(/ exited 0 /g)?.length === 3, { what: "three commands" });
    expect(linesOf(dir.join("asks"))).toEqual([
      "FACRON_COMM=sh",
      `FACRON_EXE=${shell}`,
      "FACRON_UID=0",
    ]);
    expect(linesOf(dir.join("said"))).toEqual([`sh 0:${shell}`]);
    expect(linesOf(dir.join("not"))).toEqual([]);
  });

  rootTest("fires for those that it names, and not for those that it leaves out", async () => {
    const dir = tempDir();
    chmodSync(dir.path, 0o755);
    chmodSync(dir.mkdir("in"), 0o777);
    const config = dir.write(
      "facron.toml",
      rule(dir, "exe", `actor = { exe = "${shell.replace(/.$/, "?")}" }`) +
        rule(dir, "name", `actor = { exe = "no-such*", comm = "sh" }`) +
        rule(dir, "user", `actor = { uid = ["nobody", 4711] }`) +
        rule(dir, "not", `actor = { comm = "sh", not = { uid = "nobody" } }`) +
        rule(dir, "all", ""),
    );
    await using facron = await runBinary(["-c", config]).ready();
    writer().line(dir.join("in/root"));
    await closed(facron, dir.join("in/root"));
    writer("setpriv", "--reuid", String(nobody.uid), "--clear-groups").line(dir.join("in/nobody"));
    await closed(facron, dir.join("in/nobody"));
    writer("setpriv", "--reuid", "4711", "--clear-groups").line(dir.join("in/4711"));
    await closed(facron, dir.join("in/4711"));
    expect(firedFor(facron, "root")).toEqual(["exe", "not", "all"]);
    expect(firedFor(facron, "nobody")).toEqual(["exe", "user", "all"]);
    expect(firedFor(facron, "4711")).toEqual(["exe", "user", "not", "all"]);
  });

  rootTest(
    "that names somebody does not fire for nobody knows whom, and says how often",
    async () => {
      const dir = tempDir();
      dir.mkdir("in");
      const config = dir.write(
        "facron.toml",
        rule(dir, "only", `actor = { comm = "*" }`) +
          rule(dir, "not", `actor = { not = { comm = "*" } }`),
      );
      await using facron = await runBinary(["-c", config]).ready();
      await stopped(facron);
      Bun.spawnSync(["sh", "-c", `cd ${dir.join("in")}; : >a; : >b; : >c`]);
      facron.signal("SIGCONT");
      await facron.waitForLines(3);
      expect(facron.events.map(({ rules }) => rules)).toEqual([["not"], ["not"], ["not"]]);
      await facron.waitForLog(
        /^facron: warning: Cannot tell who did 3 events: the process had ended before it could be looked at; rules for certain actors did not fire, rules that only leave some out did$/m,
      );
    },
  );

  rootTest("whose user is unknown says so, at the start and in facron check", async () => {
    const dir = tempDir();
    dir.mkdir("in");
    const config = dir.write("facron.toml", rule(dir, "r", `actor = { uid = ["rooot"] }`));
    await using facron = await runBinary(["-c", config]).ready();
    const says = 'Unknown user "rooot": did you mean "root"?';
    expect(facron.log).toContain(`facron: warning: ${says} (rule "r")\n`);
    const { stdout, code } = await answerTo(["check", config]);
    expect(stdout).toContain(`${config}:5:9: warning: ${says}\n`);
    expect(code).toBe(0);
  });

  for (const [key, effect] of [
    ['{ comm = "vim" }', "never fires"],
    ['{ not = { comm = "vim" } }', "fires whoever did it"],
  ]) {
    test(`on inotify ${effect}, as the log and facron check say: ${key}`, async () => {
      const dir = tempDir();
      dir.mkdir("in");
      const text = rule(dir, "r", `actor = ${key}\nbackend = "inotify"`);
      const config = dir.write("facron.toml", text);
      await using facron = await runBinary(["-c", config]).ready();
      expect(facron.log).toContain(
        `facron: warning: Rule "r" ${effect} for "${dir.join("in")}": inotify does not tell who did it; `,
      );
      const { stdout } = await answerTo(["check", config]);
      expect(stdout).toContain(`warning: Rule ${effect}: inotify does not tell who did it; `);
      const happened = ["explain", "-c", config, "--event", "close_write", dir.join("in/a")];
      expect((await answerTo(happened)).stdout).toMatch(
        effect === "never fires"
          ? /^r does not fire: it is for certain processes, and inotify does not tell who did it$/m
          : /^r fires for .*\n.*\n  provided     not if done by comm "vim"$/m,
      );
      expect((await answerTo(["explain", config])).stdout).toMatch(
        /\((only|not) if done by comm "vim"; inotify\)/,
      );
    });
  }
});

/** Nothing of a descriptor that is closed meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** FAN_REPORT_PIDFD in the flags of the fanotify group, as fdinfo has them. */
function reportsPidfd(facron: RunningBinary): boolean {
  const directory = `/proc/${facron.pid}/fdinfo`;
  const texts = readdirSync(directory).map((name) => textOf(`${directory}/${name}`));
  const groups = texts.flatMap((text) => /^fanotify flags:([0-9a-f]+)/m.exec(text)?.[1] ?? []);
  expect(groups).toHaveLength(1);
  return (parseInt(groups[0]!, 16) & 0x80) !== 0;
}

describe("a reload", () => {
  rootTest(
    "that first asks who did it, and one that no longer does, lose and double nothing",
    async () => {
      const dir = tempDir();
      dir.mkdir("in/sub");
      const plain = rule(dir, "r", "recursive = true");
      const config = dir.write("facron.toml", plain);
      await using facron = await runBinary(["-c", config]).ready();
      expect(reportsPidfd(facron)).toBe(false);
      const process = startProcess([
        ...[
          "sh",
          "-c",
          `read d; i=0; while [ ! -e $d/stop ]; do i=$((i+1)); : >$d/in/$i; : >$d/in/sub/$i; mkdir $d/in/d$i; : >$d/in/d$i/f; done; echo $i >$d/count; read x`,
        ],
      ]);
      process.line(dir.path);
      for (let reload = 1; reload <= 6; reload++) {
        const asks = reload % 2 === 1;
        dir.write("facron.toml", asks ? rule(dir, "r", "recursive = true\nactor = true") : plain);
        facron.signal("SIGUSR1");
        const reloads = () => facron.log.match(/^facron: reloaded, /gm)?.length === reload;
        await waitFor(reloads, { what: `reload ${reload}`, state: () => facron.log });
        expect(reportsPidfd(facron)).toBe(asks);
        const seen = facron.lines.length;
        await facron.waitForLines(seen + 200);
        const after = facron.events.slice(seen).filter(({ synthetic }) => synthetic === undefined);
        expect(new Set(after.map(({ comm }) => comm))).toEqual(new Set([asks ? "sh" : undefined]));
      }
      dir.write("stop");
      await waitFor(() => linesOf(dir.join("count")).length === 1, { what: "the writer's end" });
      const count = Number(linesOf(dir.join("count"))[0]);
      await facron.waitForEvent("the last", ({ path }) => path === dir.join(`in/d${count}/f`));
      expectNoGap(facron);
      const told = facron.events.map(({ path }) => path!.slice(dir.join("in/").length));
      const expected = Array.from({ length: count }, (_, at) => at + 1).flatMap((i) => [
        `${i}`,
        `d${i}/f`,
        `sub/${i}`,
      ]);
      expect(told.sort()).toEqual(expected.sort());
      expect(facron.log).not.toContain("warning");
    },
  );
});
