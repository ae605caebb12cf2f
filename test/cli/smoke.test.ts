/** The one file that users download, alone in an empty directory, with nothing around it. */
import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { version } from "../../package.json";
import { build } from "../../scripts/build.ts";
import { binaryPath, runBinary, type RunOptions } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { linesOf } from "./support.ts";

/** An empty home with the binary in it. @param env all there is: no Bun and no Node is found by it */
function downloaded(env = "PATH=/no/such/directory") {
  const dir = tempDir();
  const home = dir.mkdir("home");
  build(); // unless it is up to date
  copyFileSync(binaryPath, `${home}/facron`);
  const command = ["/usr/bin/env", "-i", env, `${home}/facron`];
  // The mark is how the runner finds what is left over; `env -i` takes it away, and it is not missed.
  const start = (args: readonly string[], options: RunOptions = {}) =>
    runBinary(args, { cwd: home, ...options, command });
  return { dir, home, start };
}

/** Appends its arguments to DIR/ran, by what the shell itself can do. */
function recorder(dir: TempDir): string {
  return dir.script("record", `printf '%s\\n' "$*" >>${dir.join("ran")}`);
}

for (const env of ["PATH=/no/such/directory", "NOTHING=at all"]) {
  describe(`alone, with ${env}`, () => {
    test("facron says its version and its help", async () => {
      const { start } = downloaded(env);
      const asked = start(["--version"]);
      await asked.exit();
      expect(asked.lines).toEqual([`facron ${version}`]);
      const help = start(["--help"]);
      expect(await help.exit()).toEqual({ code: 0, signal: null });
    });

    test("facron does the whole job: watch, emit, run, reload, end", async () => {
      const { dir, home, start } = downloaded(env);
      const table = (word: string) =>
        `${dir.join("in")} close_write,moved_to ${recorder(dir)} ${word} $# $+\n`;
      dir.mkdir("in");
      const file = dir.write("facron.conf", table("before"));
      const facron = await start(["-c", file]).ready();
      dir.write("in/a file");
      await waitFor(() => linesOf(dir.join("ran")).length === 1, { what: "the first command" });
      dir.write("facron.conf", table("after"));
      facron.signal("SIGUSR1");
      await facron.waitForLog(/reloaded/);
      writeFileSync(Buffer.from(`${dir.path}/in/caf\xe9`, "latin1"), "");
      await waitFor(() => linesOf(dir.join("ran")).length === 2, { what: "the second command" });
      expect(await facron.stop()).toEqual({ code: 0, signal: null });
      expect(readFileSync(dir.join("ran"), "latin1")).toBe("before a file 1\nafter caf\xe9 2\n");
      expect(facron.events).toMatchObject([
        { seq: 1, events: ["close_write"], path: dir.join("in/a file") },
        { seq: 2, events: ["close_write"], path: dir.join("in/caf\uFFFD") },
      ]);
      expect(readdirSync(home)).toEqual(["facron"]);
    });
  });
}

test("facron leaves nothing in TMPDIR and in HOME", async () => {
  const dir = tempDir();
  const temporary = dir.mkdir("tmp");
  const env = { TMPDIR: temporary, HOME: temporary, XDG_CACHE_HOME: temporary };
  const table = `${dir.mkdir("in")} close_write ${recorder(dir)} $#\n`;
  const facron = await runBinary(["-c", dir.write("facron.conf", table)], { env }).ready();
  dir.write("in/a");
  await facron.waitForLog(/exited 0/);
  await facron.stop();
  expect(readdirSync(temporary)).toEqual([]);
});

describe("what lies in the working directory is not read:", () => {
  test(".env is no environment of commands", async () => {
    const { dir, home, start } = downloaded();
    for (const name of [".env", ".env.local", ".env.production"]) {
      writeFileSync(`${home}/${name}`, "FROM_DOT_ENV=1\nPATH=/nowhere\n");
    }
    const script = dir.script("run", `echo "[$FROM_DOT_ENV] $PATH" >>${dir.join("ran")}`);
    const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script}\n`);
    const facron = await start(["-c", file]).ready();
    dir.write("in/a");
    await facron.waitForLog(/exited 0/);
    await facron.stop();
    expect(linesOf(dir.join("ran"))).toEqual(["[] /no/such/directory"]);
  });

  test("a preload of bunfig.toml does not run, nor do scripts of package.json", async () => {
    const { dir, home, start } = downloaded();
    const code = `require("fs").writeFileSync(${JSON.stringify(dir.join("pwned"))}, "")`;
    writeFileSync(`${home}/preload.js`, code);
    writeFileSync(
      `${home}/bunfig.toml`,
      'preload = ["./preload.js"]\n[run]\npreload = ["./preload.js"]\n',
    );
    writeFileSync(`${home}/.bunfig.toml`, 'preload = ["./preload.js"]\n');
    writeFileSync(`${home}/tsconfig.json`, "{ this is no JSON");
    writeFileSync(`${home}/package.json`, "{ nor is this");
    const facron = await start(["watch", "-e", "create", dir.mkdir("in")]).ready();
    dir.write("in/a");
    await facron.waitForLines(1);
    expect(await facron.stop()).toEqual({ code: 0, signal: null });
    expect(existsSync(dir.join("pwned"))).toBe(false);
    expect(facron.log).not.toMatch(/JSON|tsconfig|bunfig/);
  });
});
