/** What is decided before: opening, reading, executing, looking into a directory; and what a process gets then. */
import { describe, expect } from "bun:test";
import { chmodSync, copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fencedBlocks } from "../examples/extract.ts";
import { denied, gated, outcome } from "../gate/gated.ts";
import { mountImage, mountTmpfs } from "../helpers/mount.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = requires({ root: "gates" });
const newTest = requires({ root: "gates", kernel: "6.14", tools: ["mkfs.ext4"] });

function denying(watch: string, on: string, more = ""): string {
  return `[[gate]]\nname = "no"\nwatch = "${watch}"\non = "${on}"\nverdict = "deny"\n${more}\n`;
}

describe("a gate on", () => {
  rootTest("open_perm: nothing is opened, be it to read, to write or to execute", async () => {
    const directory = tempDir();
    const script = directory.script("script", "exit 0");
    await using _ = await gated(denying(directory.path, "open_perm"));
    expect(outcome("cat", script)).toBe(denied);
    expect(outcome("env", script)).toBe(denied);
    expect(outcome("dd", "if=/dev/null", `of=${script}`, "conv=notrunc")).toBe(denied);
  });

  rootTest("access_perm: a file is opened, and cannot be read; it can be written", async () => {
    const directory = tempDir();
    const file = directory.write("file", "text\n");
    await using facron = await gated(denying(directory.path, "access_perm"));
    expect(outcome("cat", file)).toBe(denied);
    expect(outcome("dd", "if=/dev/zero", `of=${file}`, "count=1")).toBe("ok");
    const line = await facron.waitForEvent("a decision", ({ path }) => path === file);
    expect(line["on"]).toEqual(["access_perm"]);
  });

  rootTest("open_exec_perm: scripts and programs do not run, and can be read", async () => {
    const directory = tempDir();
    const script = directory.script("script", "exit 0");
    const program = directory.write("program", "", { mode: 0o755 });
    copyFileSync("/bin/true", program);
    await using facron = await gated(denying(directory.path, "open_exec_perm"));
    for (const path of [script, program]) {
      expect(outcome("env", path)).toBe(denied);
      expect(outcome("cat", path)).toBe("ok");
      const line = await facron.waitForEvent("a decision", (one) => one["path"] === path);
      expect(line["on"]).toEqual(["open_exec_perm"]);
    }
    expect(outcome("sh", script)).toBe("ok"); // it is sh that is executed
  });

  rootTest(
    "directories, if type says so: they cannot be listed, and what is in them is opened",
    async () => {
      const directory = tempDir();
      directory.write("sub/file");
      const toml = denying(directory.path, "open_perm", 'recursive = true\ntype = "dir"');
      await using _ = await gated(toml);
      expect(outcome("ls", directory.join("sub"))).toBe(denied);
      expect(outcome("ls", directory.path)).toBe(denied);
      expect(outcome("cat", directory.join("sub/file"))).toBe("ok");
    },
  );

  rootTest("files: directories are listed", async () => {
    const directory = tempDir();
    directory.write("sub/file");
    await using _ = await gated(denying(directory.path, "open_perm", "recursive = true"));
    expect(outcome("ls", directory.join("sub"))).toBe("ok");
    expect(outcome("cat", directory.join("sub/file"))).toBe(denied);
  });
});

describe("who asks", () => {
  rootTest("is told from others by program, name and user", async () => {
    const directory = tempDir();
    const file = directory.write("file");
    chmodSync(directory.path, 0o755);
    const actors = [
      'actor = { exe = ["head"] }',
      'actor = { comm = ["ta*"] }',
      "actor = { uid = [65534] }",
    ];
    const toml = actors
      .map((actor, at) => denying(directory.path, "open_perm", actor).replace('"no"', `"${at}"`))
      .join("\n");
    await using facron = await gated(toml);
    const asNobody = "setpriv --reuid=65534 --clear-groups cat";
    const tools = ["head", "tail", asNobody, "cat"];
    const outcomes = tools.map((tool) => outcome("sh", "-c", `exec ${tool} ${file}`));
    expect(outcomes).toEqual([denied, denied, denied, "ok"]);
    const lines = await facron.waitForLines(3);
    expect(lines.map((line) => JSON.parse(line)["gate"])).toEqual(["0", "1", "2"]);
  });
});

describe("errno", () => {
  newTest("is what a process gets in place of EPERM", async () => {
    const directory = tempDir();
    const file = directory.write("file");
    await using _ = await gated(denying(directory.path, "open_perm", 'errno = "EBUSY"'));
    expect(outcome("cat", file)).toBe("Device or resource busy");
  });
});

describe("audit", () => {
  rootTest("changes no verdict", async () => {
    const directory = tempDir();
    const file = directory.write("file");
    await using facron = await gated(denying(directory.path, "open_perm", "audit = true"));
    expect(outcome("cat", file)).toBe(denied);
    expect(facron.log).not.toContain("audit");
  });
});

/** The blocks of the README that have these words in them. */
function readmeBlocks(...words: string[]): string[] {
  const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
  const texts = fencedBlocks(readme).map(({ lines }) => lines.join("\n"));
  return words.map((word) => texts.find((text) => text.includes(word))!);
}

function inPlace(text: string, from: string, to: string): string {
  expect(text).toContain(from);
  return text.replaceAll(from, to);
}

describe("pre_access", () => {
  newTest("fills a file at its first access, once, as the README shows it", async () => {
    const directory = tempDir({ on: "disk" });
    using mount = mountImage(directory.mkdir("archive"), "ext4");
    const file = `${mount.path}/placeholder`;
    Bun.spawnSync(["truncate", "--size=1M", file]);
    chmodSync(file, 0o1644);
    writeFileSync(`${directory.mkdir("remote")}/placeholder`, "remote\n".repeat(10_000));
    const [toml, script] = readmeBlocks("pre_access", "chmod -t");
    const runs = directory.join("runs");
    const fill = directory.write(
      "fill",
      inPlace(script!, "/mnt/archive", directory.join("remote")),
      {
        mode: 0o755,
      },
    );
    const counting = directory.script(
      "count",
      `echo "$FACRON_OFFSET $FACRON_COUNT" >> ${runs}; exec ${fill} "$1"`,
    );
    const placed = inPlace(
      inPlace(toml!, "/srv/archive", mount.path),
      "/usr/local/bin/fill",
      counting,
    );
    await using facron = await gated(placed, ["--gate-log", "all"]);
    const readPart = ["dd", `if=${file}`, "of=/dev/null", "bs=4096", "skip=1", "count=1"];
    expect(outcome(...readPart)).toBe("ok");
    const line = await facron.waitForEvent("a decision", (one) => one["by"] === "command");
    expect(line).toMatchObject({ verdict: "allow", on: ["pre_access"], path: file });
    const same = ["cmp", "-n", "70000", file, `${directory.path}/remote/placeholder`];
    expect(outcome(...same)).toBe("ok");
    expect(readFileSync(runs, "utf8")).toBe("4096 4096\n");
    const { size, mode } = statSync(file);
    expect([size, mode & 0o7777]).toEqual([1_048_576, 0o644]);
  });

  newTest("is denied and asked again if it could not be filled", async () => {
    const directory = tempDir({ on: "disk" });
    using mount = mountImage(directory.mkdir("archive"), "ext4");
    const file = `${mount.path}/placeholder`;
    Bun.spawnSync(["truncate", "--size=1M", file]);
    chmodSync(file, 0o1644);
    const [toml, script] = readmeBlocks("pre_access", "chmod -t");
    const remote = directory.mkdir("remote");
    const fill = directory.write("fill", inPlace(script!, "/mnt/archive", remote), { mode: 0o755 });
    const placed = inPlace(inPlace(toml!, "/srv/archive", mount.path), "/usr/local/bin/fill", fill);
    await using _ = await gated(placed);
    expect(outcome("cat", file)).toBe(denied);
    writeFileSync(`${remote}/placeholder`, "remote\n");
    expect(outcome("grep", "-aq", "remote", file)).toBe("ok");
  });

  newTest("fills it once for all that come meanwhile", async () => {
    const directory = tempDir({ on: "disk" });
    using mount = mountImage(directory.mkdir("mount"), "ext4");
    const file = `${mount.path}/placeholder`;
    Bun.spawnSync(["truncate", "--size=8K", file]);
    const filled = directory.join("filled");
    const fill = directory.script(
      "fill",
      `echo run >> ${filled}
       printf first | dd of="$FACRON_PATH" conv=notrunc status=none
       sleep 0.5
       printf SECOND | dd of="$FACRON_PATH" conv=notrunc status=none`,
    );
    const toml = `[[gate]]\nname = "fill"\nwatch = "${mount.path}"\non = "pre_access"\nask = ["${fill}"]\non_timeout = "deny"\ntimeout = "10s"\n`;
    await using _ = await gated(toml);
    const readers = `for i in 1 2 3 4 5; do head -c 6 ${file} >> ${directory.join("read")} & sleep 0.05; done; wait`;
    expect(outcome("sh", "-c", readers)).toBe("ok");
    expect(readFileSync(directory.join("read"), "utf8")).toBe("SECOND".repeat(5));
    expect(readFileSync(filled, "utf8")).toBe("run\n");
  });

  newTest("is refused where the filesystem has no such thing, and said", async () => {
    const directory = tempDir();
    const { path } = directory;
    using _ = mountTmpfs(path);
    await using facron = await gated(denying(path, "pre_access"));
    await facron.waitForLog(/Cannot hold ".*" for pre_access: .*; use ext4, xfs or btrfs/);
  });
});
