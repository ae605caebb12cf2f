/** Without privilege: inotify serves what it can, everything else is one sentence with its cure. */
import { describe, expect } from "bun:test";
import { chmodSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { binaryPath as binary, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { answerTo, expectRefusal, linesOf, nobody } from "./support.ts";

const rootTest = needsRoot("becomes another user");

/** A directory that everybody may use. */
function openDir(): TempDir {
  const dir = tempDir();
  chmodSync(dir.path, 0o777);
  return dir;
}

function asNobody(args: readonly string[]): RunningBinary {
  return runBinary(args, nobody);
}

describe("without privilege", () => {
  for (const [claim, mask] of [
    ["bare names", "close_write"],
    ["IN_ names", "IN_CLOSE_WRITE"],
  ]) {
    rootTest(`${claim} are served by inotify, and commands run`, async () => {
      const dir = openDir();
      const script = dir.script("run", `id -u >${dir.join("ran")}`);
      const watched = dir.mkdir("in");
      const file = dir.write("facron.conf", `${watched} ${mask} ${script}\n`);
      await using facron = await asNobody(["-c", file]).ready();
      expect(facron.log).toMatch(/^facron: watching 1 path for 1 rule: inotify 1 \(1 mark\)$/m);
      dir.write("in/a");
      await facron.waitForLog(/exited 0/);
      expect(linesOf(dir.join("ran"))).toEqual(["65534"]);
    });
  }

  rootTest("bare names say once why fanotify does not serve", async () => {
    const dir = openDir();
    await using facron = await asNobody(["watch", dir.path, "/usr"]).ready();
    expect(
      facron.log.match(/^facron: Using inotify: fanotify needs root \(CAP_SYS_ADMIN\)$/gm),
    ).toHaveLength(1);
  });

  rootTest("a whole tree is watched by inotify", async () => {
    const dir = openDir();
    dir.mkdir("a/b/c");
    await using facron = await asNobody(["watch", "-r", "-e", "create", dir.path]).ready();
    dir.write("a/b/c/new");
    dir.mkdir("a/later");
    await facron.waitForEvent("later", ({ path }) => path === dir.join("a/later"));
    dir.write("a/later/new");
    await facron.waitForEvent("new in later", ({ path }) => path === dir.join("a/later/new"));
  });

  rootTest("--backend fanotify is refused with its cure", async () => {
    const answer = await answerTo(["watch", "-b", "fanotify", "/usr"], nobody);
    expectRefusal(answer, /fanotify needs root \(CAP_SYS_ADMIN\)/, 1);
  });

  rootTest("FAN_ names are refused with their cure", async () => {
    const dir = openDir();
    const file = dir.write("facron.conf", `${dir.path} FAN_MODIFY|FAN_EVENT_ON_CHILD /bin/true\n`);
    const { stderr, stdout, code } = await answerTo(["-c", file], nobody);
    expect(stderr).toMatch(/fanotify needs root \(CAP_SYS_ADMIN\)/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
  });

  rootTest("a path that may not be read is refused by watch", async () => {
    const dir = openDir();
    const secret = dir.mkdir("secret");
    chmodSync(secret, 0o700);
    const answer = await answerTo(["watch", secret], nobody);
    const cause =
      /Cannot watch ".*\/secret": permission denied; run facron as a user who may read it/;
    expect(answer.stderr).toMatch(cause);
    expect({ code: answer.code, stdout: answer.stdout }).toEqual({ code: 1, stdout: "" });
  });

  rootTest("a path that may not be read is a warning where others can be watched", async () => {
    const dir = openDir();
    chmodSync(dir.mkdir("secret"), 0o700);
    chmodSync(dir.mkdir("open"), 0o755);
    const table = `${dir.join("secret")} close_write\n${dir.join("open")} close_write\n`;
    await using facron = await asNobody(["-c", dir.write("facron.conf", table)]).ready();
    expect(facron.log).toMatch(/^facron: warning: Cannot watch ".*\/secret": permission denied/m);
    dir.write("open/a");
    expect(await facron.waitForEvent("a line", () => true)).toMatchObject({
      path: dir.join("open/a"),
    });
  });

  rootTest("a directory in a tree that may not be read is a warning", async () => {
    const dir = openDir();
    chmodSync(dir.mkdir("tree/secret"), 0o700);
    await using facron = await asNobody(["watch", "-r", dir.join("tree")]).ready();
    expect(facron.log).toMatch(/^facron: warning: .*\/tree\/secret": permission denied/m);
    dir.write("tree/a");
    await facron.waitForLines(1);
  });

  rootTest("stdout may be another user's pipe", async () => {
    const dir = openDir();
    const facron = runBinary(["watch", "-e", "create", dir.path], {
      command: ["/bin/bash", "-c", 'setpriv --reuid 65534 --clear-groups "$0" "$@" | cat', binary],
    });
    await facron.ready();
    for (let i = 0; i < 300; i++) dir.write(`${i}`);
    await facron.waitForLines(300);
  });
});
