/** `scope = "filesystem"` against the kernel: what is asked of it, where it refuses, and what changes at a reload. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { Quiet } from "../contract/quiet.ts";
import { answerTo, expectRefusal, nobody } from "../cli/support.ts";
import { mountBindfs, mountImage, mountOverlay, mountTmpfs } from "../helpers/mount.ts";
import { startWithQueue } from "../helpers/queue-limit.ts";
import { requires } from "../helpers/requires.ts";
import { type EventLine, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";

const root = "uses fanotify";
const rootTest = requires({ root });

const wholeArgs = ["watch", "-r", "--scope", "filesystem", "-e", "create,close_write,delete"];

/** Lines of fanotify in proc_pid_fdinfo(5): of whole filesystems, and of inodes. */
function marksOf(pid: number): { filesystems: string[]; inodes: number } {
  const infos = readdirSync(`/proc/${pid}/fdinfo`).map((fd) =>
    readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"),
  );
  const lines = infos.join("\n").split("\n");
  return {
    filesystems: lines.filter((line) => line.startsWith("fanotify sdev:")),
    inodes: lines.filter((line) => line.startsWith("fanotify ino:")).length,
  };
}

/** All that it has told, when it has told all: it ends with that. */
async function toldBy(facron: RunningBinary): Promise<readonly EventLine[]> {
  await settled(facron);
  await facron.stop();
  return facron.events;
}

/** The kernel may merge what happens to a file into one record, or not. */
function closedIn(lines: readonly EventLine[]): (string | undefined)[] {
  return lines.flatMap(({ events, path }) => (events.includes("close_write") ? [path] : []));
}

function textsOf(lines: readonly EventLine[], top: string): string[] {
  return lines.map(({ events, path, rules }) => {
    const below = path?.slice(top.length + 1);
    return `${events.join("|")} ${below} @${(rules as string[]).join(",")}`;
  });
}

async function settled(facron: RunningBinary): Promise<void> {
  using quiet = new Quiet(facron.pid);
  await quiet.wait();
}

function ruleOf(name: string, path: string, keys: readonly string[]): string {
  const on = 'on = ["create", "delete", "rename"]';
  return ["[[rule]]", `name = "${name}"`, `watch = "${path}"`, on, ...keys, ""].join("\n");
}

const wholeKeys = ["recursive = true", 'scope = "filesystem"'];

interface Configured {
  readonly facron: RunningBinary;
  readonly reload: (text: string) => Promise<void>;
}

async function configured(dir: TempDir, text: string): Promise<Configured> {
  const file = dir.write("rules.toml", text);
  const facron = await runBinary(["--config", file]).ready();
  let reloads = 0;
  const reload = async (next: string): Promise<void> => {
    writeFileSync(file, next);
    facron.signal("SIGUSR1");
    reloads++;
    await facron.waitForLog(new RegExp(`(reloaded,[^]*){${reloads}}`));
  };
  return { facron, reload };
}

describe("one mark", () => {
  rootTest(
    "serves however many directories there are, and no directory is looked into",
    async () => {
      const top = mountTmpfs(tempDir().join("mount")).path;
      for (let n = 0; n < 300; n++) mkdirSync(`${top}/D/${n % 10}/${n}`, { recursive: true });
      await using facron = await runBinary([...wholeArgs, `${top}/D`]).ready();
      expect(marksOf(facron.pid)).toMatchObject({ filesystems: [expect.anything()], inodes: 1 });
      for (let n = 0; n < 300; n += 50) writeFileSync(`${top}/D/${n % 10}/${n}/f`, "");
      await settled(facron);
      expect(marksOf(facron.pid)).toMatchObject({ filesystems: [expect.anything()], inodes: 1 });
      expect(closedIn(await toldBy(facron))).toEqual(
        [0, 50, 100, 150, 200, 250].map((n) => `${top}/D/${n % 10}/${n}/f`),
      );
    },
  );

  rootTest("is narrowed to what the rules left want, and goes with the last of them", async () => {
    const [dir, top] = [tempDir(), mountTmpfs(tempDir().join("mount")).path];
    mkdirSync(`${top}/a/below`, { recursive: true });
    mkdirSync(`${top}/b`);
    const opens = '[[rule]]\nname = "opens"\nrecursive = true\nscope = "filesystem"\non = "open"\n';
    const both = `${opens}watch = "${top}/b"\n${ruleOf("a", `${top}/a`, wholeKeys)}`;
    const { facron, reload } = await configured(dir, both);
    const maskOf = () => Number(/ mask:([0-9a-f]+)/.exec(marksOf(facron.pid).filesystems[0]!)?.[1]);
    const wide = Number.parseInt(`${maskOf()}`, 16);
    expect(wide & 0x20).toBe(0x20); // FAN_OPEN
    await reload(ruleOf("a", `${top}/a`, wholeKeys));
    expect(Number.parseInt(`${maskOf()}`, 16) & 0x20).toBe(0);
    await reload(ruleOf("a", `${top}/a`, ["recursive = true"]));
    expect(marksOf(facron.pid)).toEqual({ filesystems: [], inodes: 2 });
  });
});

describe("a reload", () => {
  rootTest("changes between tree and filesystem, and what happens is told once", async () => {
    const [dir, top] = [tempDir(), mountTmpfs(tempDir().join("mount")).path];
    mkdirSync(`${top}/D/a/b`, { recursive: true });
    const whole = ruleOf("r", `${top}/D`, wholeKeys);
    const tree = ruleOf("r", `${top}/D`, ["recursive = true"]);
    const { facron, reload } = await configured(dir, tree);
    const expected: string[] = [];
    for (const [n, next] of [whole, tree, whole].entries()) {
      writeFileSync(`${top}/D/a/b/${n}`, "");
      await reload(next);
      writeFileSync(`${top}/D/a/b/after${n}`, "");
      mkdirSync(`${top}/D/new${n}/x`, { recursive: true });
      writeFileSync(`${top}/D/new${n}/x/f`, "");
      await settled(facron);
      expected.push(`create D/a/b/${n} @r`, `create D/a/b/after${n} @r`);
      expected.push(`create D/new${n} @r`, `create D/new${n}/x @r`, `create D/new${n}/x/f @r`);
    }
    expect(textsOf(await toldBy(facron), top)).toEqual(expected);
  });
});

describe("rules of both scopes", () => {
  rootTest("on the same path, and one inside the other, tell each event once", async () => {
    const [dir, top] = [tempDir(), mountTmpfs(tempDir().join("mount")).path];
    mkdirSync(`${top}/D/in/old`, { recursive: true });
    const rules = [
      ruleOf("whole", `${top}/D`, wholeKeys),
      ruleOf("same", `${top}/D`, ["recursive = true"]),
      ruleOf("inner", `${top}/D/in`, ["recursive = true"]),
      ruleOf("innermost", `${top}/D/in/old`, wholeKeys),
      ruleOf("plain", `${top}/D/in`, []),
    ];
    const { facron } = await configured(dir, rules.join("\n"));
    const acts = [
      () => writeFileSync(`${top}/D/in/old/f`, ""),
      () => mkdirSync(`${top}/D/in/new`),
      () => writeFileSync(`${top}/D/in/new/f`, ""),
      () => renameSync(`${top}/D/in/old/f`, `${top}/D/g`),
      () => rmSync(`${top}/D/in/new`, { recursive: true }),
    ];
    for (const act of acts) {
      act();
      await settled(facron);
    }
    expect(textsOf(await toldBy(facron), top)).toEqual([
      "create D/in/old/f @whole,same,inner,innermost",
      "create D/in/new @whole,same,inner,plain",
      "create D/in/new/f @whole,same,inner",
      "rename D/g @whole,same,inner,innermost",
      "delete D/in/new/f @whole,same,inner",
      "delete D/in/new @whole,same,inner,plain",
    ]);
  });
});

describe("what is lost or replaced", () => {
  rootTest("is found by a look after the queue was full", async () => {
    const top = mountTmpfs(tempDir().join("mount")).path;
    mkdirSync(`${top}/D/a/b`, { recursive: true });
    const args = [...wholeArgs.slice(0, -1), "close_write,q_overflow", `${top}/D`];
    await using facron = await startWithQueue("fanotify", 64, args);
    using quiet = new Quiet(facron.pid);
    await quiet.pause();
    for (let n = 0; n < 200; n++) writeFileSync(`${top}/D/a/b/${n}`, "text");
    quiet.resume();
    await quiet.wait();
    writeFileSync(`${top}/D/a/b/after`, "text");
    const lines = await toldBy(facron);
    const told = closedIn(lines);
    expect(lines.some(({ events }) => events.includes("q_overflow"))).toBe(true);
    expect(told.pop()).toBe(`${top}/D/a/b/after`);
    expect(told.sort()).toEqual(Array.from({ length: 200 }, (_, n) => `${top}/D/a/b/${n}`).sort());
  });

  rootTest(
    "is watched again when the filesystem is unmounted and another one mounted",
    async () => {
      const dir = tempDir();
      const path = dir.mkdir("mount");
      const first = mountTmpfs(path);
      mkdirSync(`${path}/D/a`, { recursive: true });
      await using facron = await runBinary([...wholeArgs, `${path}/D`]).ready();
      first[Symbol.dispose]();
      await facron.waitForLog(/any longer/);
      mountTmpfs(path);
      mkdirSync(`${path}/D/a`, { recursive: true });
      await facron.waitForLog(/is there now|was replaced/);
      await settled(facron);
      writeFileSync(`${path}/D/a/f`, "");
      const last = (await toldBy(facron)).at(-1)!;
      expect({ path: last.path, pid: last["pid"] }).toEqual({
        path: `${path}/D/a/f`,
        pid: process.pid,
      });
    },
  );

  rootTest("is never facron's own output", async () => {
    const top = mountTmpfs(tempDir().join("mount")).path;
    mkdirSync(`${top}/D/logs`, { recursive: true });
    const out = `${top}/D/logs/out`;
    const shell = `exec "$0" "$@" >${out}`;
    const binary = new URL("../../dist/facron", import.meta.url).pathname;
    const command = ["/bin/sh", "-c", shell, binary];
    await using facron = await runBinary([...wholeArgs, `${top}/D`], { command }).ready();
    writeFileSync(`${top}/D/logs/f`, "");
    await settled(facron);
    const lines = readFileSync(out, "utf8").trimEnd().split("\n");
    const told = lines.map((line) => JSON.parse(line) as EventLine);
    expect(closedIn(told)).toEqual([`${top}/D/logs/f`]);
    expect(new Set(told.map(({ path }) => path)).size).toBe(1);
  });
});

describe("what was there before facron", () => {
  const manyDirectories = 1000;

  for (const options of [[], ["--actor"]])
    rootTest(
      `is told to its last file when all is removed at once ${options.join("")}`,
      async () => {
        const top = mountTmpfs(tempDir().join("mount")).path;
        const paths = [`${top}/D`];
        for (let n = 1; n < manyDirectories; n++) paths.push(`${paths[(n - 1) >> 2]}/${n}`);
        for (const path of paths) {
          mkdirSync(path);
          writeFileSync(`${path}/f`, "");
        }
        const args = ["watch", "-r", "--scope", "filesystem", "-e", "delete", ...options];
        await using facron = await runBinary([...args, paths[0]!]).ready();
        using quiet = new Quiet(facron.pid);
        await quiet.pause();
        for (const path of paths.slice(1, 5)) rmSync(path, { recursive: true });
        const descriptors = readdirSync(`/proc/${facron.pid}/fd`).length;
        quiet.resume();
        await quiet.wait();
        expect(readdirSync(`/proc/${facron.pid}/fd`).length).toBe(descriptors);
        const told = (await toldBy(facron)).map(({ path }) => path).sort();
        const below = paths.slice(1);
        expect(told).toEqual([...below, ...below.map((path) => `${path}/f`)].sort());
        expect(facron.log).not.toContain("warning");
      },
    );

  requires({ root, tools: ["mkfs.btrfs", "btrfs"] })(
    "may be a btrfs subvolume, or become one",
    async () => {
      const top = mountImage(tempDir().join("mount"), "btrfs").path;
      const btrfs = (...words: string[]) => Bun.spawnSync(["btrfs", "subvolume", ...words]);
      mkdirSync(`${top}/D`);
      btrfs("create", `${top}/D/old`);
      mkdirSync(`${top}/D/old/a/b`, { recursive: true });
      await using facron = await runBinary([...wholeArgs, `${top}/D`]).ready();
      writeFileSync(`${top}/D/old/a/b/f`, "");
      btrfs("create", `${top}/D/new`);
      renameSync(`${top}/D/old/a`, `${top}/D/old/aa`);
      btrfs("snapshot", `${top}/D/old`, `${top}/D/snapshot`);
      for (const below of ["old/aa/b", "new", "snapshot/aa/b"])
        writeFileSync(`${top}/D/${below}/g`, "");
      expect(closedIn(await toldBy(facron))).toEqual(
        ["old/a/b/f", "old/aa/b/g", "new/g", "snapshot/aa/b/g"].map((one) => `${top}/D/${one}`),
      );
    },
  );
});

describe("where the kernel refuses", () => {
  const places = [
    {
      name: "a btrfs subvolume",
      needs: { root, tools: ["mkfs.btrfs", "btrfs"] },
      make: (path: string) => {
        const subvolume = `${mountImage(path, "btrfs").path}/one`;
        Bun.spawnSync(["btrfs", "subvolume", "create", subvolume]);
        return subvolume;
      },
      why: "the kernel does not report a btrfs subvolume so, nor any filesystem beside one or FUSE (EXDEV)",
    },
    {
      name: "overlayfs",
      needs: { root },
      make: (path: string) => mountOverlay(path).path,
      why: "the kernel does not report this filesystem as a whole (EOPNOTSUPP)",
    },
    {
      name: "FUSE",
      needs: { root, tools: ["bindfs"] },
      make: (path: string) => mountBindfs(path).path,
      why: "the kernel does not report this filesystem as a whole (ENODEV)",
    },
  ];
  for (const { name, needs, make, why } of places) {
    const placeTest = requires(needs);
    placeTest(`${name} is one sentence with the cure`, async () => {
      const path = make(tempDir().join("mount"));
      const answer = await answerTo([...wholeArgs, path]);
      const text = `Cannot watch "${path}" with scope "filesystem": ${why}; use scope "tree"`;
      expect(answer.stderr).toContain(text);
      expect({ code: answer.code, stdout: answer.stdout }).toEqual({ code: 1, stdout: "" });
    });

    placeTest(`${name} is watched for the other rules`, async () => {
      const [dir, path] = [tempDir(), make(tempDir().join("mount"))];
      const text = `${ruleOf("whole", path, wholeKeys)}\n${ruleOf("tree", path, ["recursive = true"])}`;
      const { facron } = await configured(dir, text);
      expect(facron.log).toContain(`with scope "filesystem": ${why}`);
      writeFileSync(`${path}/f`, "");
      expect(textsOf(await toldBy(facron), path)).toEqual(["create f @tree"]);
    });
  }

  rootTest("an unprivileged facron is one sentence with the cure", async () => {
    const answer = await answerTo([...wholeArgs, "/usr"], nobody);
    expectRefusal(
      answer,
      /with scope "filesystem": fanotify needs root \(CAP_SYS_ADMIN\); use scope "tree"/,
      1,
    );
  });
});

describe("the command line", () => {
  test.each([
    ["--scope mount", /Unknown scope "mount": use tree or filesystem/],
    [
      "--backend inotify --scope filesystem",
      /Cannot use --scope filesystem with --backend inotify/,
    ],
  ])("refuses %s", async (options, message) => {
    expectRefusal(await answerTo(["watch", "-r", ...options.split(" "), "/usr"]), message, 2);
  });

  test("needs --recursive", async () => {
    const answer = await answerTo(["watch", "--scope", "filesystem", "/usr"]);
    expectRefusal(answer, /Cannot use --scope filesystem without --recursive: add that/, 2);
  });
});
