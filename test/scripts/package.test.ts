/** What is packed for an administrator: the tarball, the unit, the example configurations. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { pack } from "../../scripts/release.ts";
import { writeExample } from "../../scripts/start.ts";
import { loadConfiguration } from "../../src/config/load.ts";
import { findTool, isRoot, needsRoot } from "../helpers/requires.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";

const packaged = join(import.meta.dir, "../../scripts/package");

describe("pack", () => {
  const seconds = 1_700_000_000;

  /** A stand-in for the binary and one more file, with times and modes of their own. */
  function packedIn(dir: TempDir, tarball: string): string {
    const binary = dir.write("facron", "binary", { mode: 0o700 });
    const readme = dir.write("other/README.md", "readme", { mode: 0o666 });
    const files = [
      { path: binary, mode: 0o755 },
      { path: readme, mode: 0o644 },
    ];
    return pack(dir.join(tarball), "facron-1.2.3-linux-x64", { files, seconds });
  }

  test("puts everything in one directory, sorted, owned by 0 and of the given time", () => {
    using dir = tempDir();
    packedIn(dir, "a.tar.gz");
    const list = ["tar", "--numeric-owner", "--utc", "--full-time", "-tvf", dir.join("a.tar.gz")];
    const lines = Bun.spawnSync(list).stdout.toString().trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/ +/g, " "))).toEqual([
      "drwxr-xr-x 0/0 0 2023-11-14 22:13:20 facron-1.2.3-linux-x64/",
      "-rw-r--r-- 0/0 6 2023-11-14 22:13:20 facron-1.2.3-linux-x64/README.md",
      "-rwxr-xr-x 0/0 6 2023-11-14 22:13:20 facron-1.2.3-linux-x64/facron",
    ]);
  });

  test("gives the same bytes again, and says their sha256", async () => {
    using dir = tempDir();
    const first = packedIn(dir, "a.tar.gz");
    utimesSync(dir.join("facron"), 0, 0);
    const { stdout } = Bun.spawnSync(["sha256sum", dir.join("a.tar.gz")]);
    expect(packedIn(dir, "b.tar.gz")).toBe(first);
    expect(stdout.toString()).toStartWith(`${first} `);
  });

  test("leaves nothing beside the tarball, also when a file is missing", () => {
    using dir = tempDir();
    const out = dir.mkdir("out");
    const files = [{ path: dir.join("none"), mode: 0o644 }];
    expect(() => pack(`${out}/a.tar.gz`, "name", { files, seconds })).toThrow(/none/);
    expect(Bun.spawnSync(["ls", "-A", out]).stdout.toString()).toBe("");
  });
});

describe("facron.service", () => {
  const unit = readFileSync(join(packaged, "facron.service"), "utf8");

  test("reloads by SIGUSR1 and starts again after a failure", () => {
    expect(unit).toContain("ExecStart=/usr/local/bin/facron --config /etc/facron.conf\n");
    expect(unit).toContain("ExecReload=/bin/kill -USR1 $MAINPID\n");
    expect(unit).toContain("Restart=on-failure\n");
  });

  test("gives facron status its directory, and leaves it to other facrons", () => {
    expect(unit).toContain("RuntimeDirectory=facron\nRuntimeDirectoryPreserve=yes\n");
  });

  // Where there is no systemd there is nobody to ask: not a skip, as nothing can be installed for it.
  const systemdTest = findTool("systemd-analyze") === null ? null : test;
  systemdTest?.("has nothing that systemd complains of", () => {
    using dir = tempDir();
    const program = dir.script("facron", "exit 0");
    const path = dir.write("facron.service", unit.replace("/usr/local/bin/facron", program));
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", path]);
    const complaints = stderr.toString().split("\n");
    expect(complaints.filter((line) => line.includes("facron.service"))).toEqual([]);
    expect(exitCode).toBe(0);
  });
});

describe("facron.conf", () => {
  test("is a configuration without rules as it comes", () => {
    const file = join(packaged, "facron.conf");
    const { rules, warnings } = loadConfiguration([file], { cwd: "/" });
    expect(rules).toEqual([]);
    expect(warnings).toHaveLength(1); // that there are none
  });

  test("has examples that are rules once their # is gone", () => {
    using dir = tempDir();
    const text = readFileSync(join(packaged, "facron.conf"), "utf8");
    const examples = text.match(/^#["/].*$/gm)!.map((line) => line.slice(1));
    dir.write("facron.conf", `${examples.join("\n")}\n`);
    const { rules } = loadConfiguration([dir.join("facron.conf")], { cwd: "/" });
    expect(rules).toHaveLength(examples.length);
    expect(rules.length).toBeGreaterThan(4);
  });
});

describe("the example of npm start", () => {
  test("is a configuration of two rules, one with a command that can be run", () => {
    using dir = tempDir();
    const { rules, warnings } = loadConfiguration([writeExample(dir.join("example"))], {
      cwd: "/",
    });
    expect(warnings).toEqual([]);
    expect(rules.map((rule) => rule.command !== null)).toEqual([true, false]);
    expect(rules.map((rule) => rule.backend)).toEqual(
      Array(2).fill(isRoot() ? "fanotify" : "inotify"),
    );
    expect(existsSync(dir.join("example/in"))).toBe(true);
  });

  test("works in a directory with blanks", () => {
    using dir = tempDir();
    const { rules } = loadConfiguration([writeExample(dir.join("an example"))], { cwd: "/" });
    expect(rules).toHaveLength(2);
  });

  test("keeps what was changed since the last start", () => {
    using dir = tempDir();
    const configuration = writeExample(dir.join("example"));
    dir.write("example/facron.conf", "# mine\n");
    expect(writeExample(dir.join("example"))).toBe(configuration);
    expect(readFileSync(configuration, "utf8")).toBe("# mine\n");
  });

  test("is not written where others can write, nor through a link", () => {
    using dir = tempDir();
    mkdirSync(dir.join("open"));
    Bun.spawnSync(["chmod", "777", dir.join("open")]);
    Bun.spawnSync(["ln", "-s", dir.mkdir("elsewhere"), dir.join("link")]);
    for (const name of ["open", "link"]) {
      expect(() => writeExample(dir.join(name))).toThrow(/only you can write to/);
      expect(Bun.spawnSync(["ls", "-A", `${dir.join(name)}/`]).stdout.toString()).toBe("");
    }
  });

  needsRoot("gives a directory away")("is not written into another user's directory", () => {
    using dir = tempDir();
    const path = dir.mkdir("theirs");
    Bun.spawnSync(["chown", "65534", path]);
    expect(() => writeExample(path)).toThrow(/only you can write to/);
  });
});
