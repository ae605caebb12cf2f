/** Patterns, paths that are not there yet, dot directories, once: what a rule watches comes and goes. */
import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { requires } from "../helpers/requires.ts";
import {
  binaryPath,
  type EventLine,
  runBinary,
  type RunningBinary,
} from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { Quiet } from "../contract/quiet.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";

const rootTest = requires({ root: "uses fanotify" });

interface Watching {
  readonly dir: TempDir;
  readonly facron: RunningBinary;
  /** "EVENT PATH" of each event until now, sorted; paths from DIR on. */
  readonly told: () => Promise<string[]>;
}

async function watching(
  backend: string,
  keys: string,
  prepare?: (dir: TempDir) => void,
): Promise<Watching> {
  const dir = tempDir();
  prepare?.(dir);
  const text = `[[rule]]\n${keys.replaceAll("DIR", dir.path)}\nbackend = "${backend}"\n`;
  // To a file: what facron has written is there at once, a pipe would have to be read first.
  const out = tempDir().join("out");
  const script = `exec "$0" -c ${dir.write("facron.toml", text)} > ${out}`;
  const facron = await runBinary([], { command: ["/bin/sh", "-c", script, binaryPath] }).ready();
  const events = (): EventLine[] => {
    const lines = readFileSync(out, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as EventLine);
  };
  const quiet = new Quiet(facron.pid);
  atTestEnd(() => quiet[Symbol.dispose]());
  const told = async (): Promise<string[]> => {
    await quiet.wait();
    return events()
      .flatMap((event) => textsOf(event, dir))
      .sort();
  };
  return { dir, facron, told };
}

function textsOf({ events, path }: EventLine, dir: TempDir): string[] {
  return events.map((name) => `${name} ${path!.replace(`${dir.path}/`, "")}`);
}

for (const backend of ["fanotify", "inotify"] as const) {
  const backendTest = backend === "fanotify" ? rootTest : test;

  describe(`with ${backend}`, () => {
    backendTest(
      "a pattern of files sees those that are there and those that come, and no others",
      async () => {
        const { dir, told } = await watching(
          backend,
          'watch = "DIR/in/*.csv"\non = ["create", "close_write", "delete", "rename"]',
          (dir) => {
            dir.mkdir("in");
            dir.write("in/old.csv", "");
          },
        );
        dir.write("in/old.csv", "text");
        dir.write("in/new.csv", "text");
        dir.write("in/new.txt", "text");
        dir.write("in/.hidden.csv", "text");
        renameSync(dir.join("in/new.csv"), dir.join("in/newer.csv"));
        rmSync(dir.join("in/newer.csv"));
        expect(await told()).toEqual([
          ...["close_write in/new.csv", "close_write in/old.csv", "create in/new.csv"],
          ...["delete in/newer.csv", "rename in/newer.csv"],
        ]);
      },
    );

    backendTest(
      "a pattern of directories takes in what comes, with what is in it already",
      async () => {
        const { dir, told } = await watching(
          backend,
          'watch = "DIR/*/in"\non = ["close_write"]',
          (dir) => {
            for (const name of ["a", "a/in", "b"]) dir.mkdir(name);
          },
        );
        dir.write("a/in/1", "text");
        expect(await told()).toEqual(["close_write a/in/1"]);
        dir.mkdir("b/in");
        dir.write("b/in/2", "text");
        for (const name of ["c", "c/in"]) dir.mkdir(name);
        dir.write("c/in/3", "text");
        dir.write("c/4", "text");
        expect(await told()).toEqual([
          "close_write a/in/1",
          "close_write b/in/2",
          "close_write c/in/3",
        ]);
        renameSync(dir.join("c"), dir.join("d"));
        await told();
        dir.write("d/in/5", "text");
        rmSync(dir.join("a"), { recursive: true });
        expect(await told()).toContain("close_write d/in/5");
        for (const name of ["a", "a/in"]) dir.mkdir(name);
        dir.write("a/in/6", "text");
        expect(await told()).toContain("close_write a/in/6");
      },
    );

    backendTest("a path that is not there yet, nor what it is in", async () => {
      const { dir, facron, told } = await watching(
        backend,
        'watch = "DIR/x/y/file"\non = "close_write"',
      );
      expect(facron.log).toMatch(
        /Waiting for ".*file": it is not there yet; it is watched as soon as it appears/,
      );
      for (const name of ["x", "x/y"]) dir.mkdir(name);
      dir.write("x/y/file", "text");
      expect(await told()).toEqual(["close_write x/y/file"]);
      dir.write("x/y/file", "more");
      rmSync(dir.join("x"), { recursive: true });
      await facron.waitForLog(/Cannot watch ".*file" any longer/);
      for (const name of ["x", "x/y"]) dir.mkdir(name);
      dir.write("x/y/file", "again");
      expect(await told()).toEqual(Array(3).fill("close_write x/y/file"));
    });

    backendTest("a directory that comes with all that is in it", async () => {
      const { dir, told } = await watching(
        backend,
        'watch = "DIR/tree"\nrecursive = true\non = ["close_write", "create"]',
        (dir) => {
          for (const name of ["other", "other/sub"]) dir.mkdir(name);
          dir.write("other/sub/file", "text");
        },
      );
      renameSync(dir.join("other"), dir.join("tree"));
      expect(await told()).toEqual([
        ...["close_write tree/sub/file", "create tree/sub", "create tree/sub/file"],
      ]);
    });

    backendTest("a link that leads nowhere yet", async () => {
      const { dir, told } = await watching(
        backend,
        'watch = "DIR/link"\non = "close_write"',
        (dir) => symlinkSync("later/dir", dir.join("link")),
      );
      for (const name of ["later", "later/dir"]) dir.mkdir(name);
      dir.write("later/dir/file", "text");
      expect(await told()).toEqual(["close_write link/file"]);
    });

    backendTest("dot directories are left out, also when their names change", async () => {
      const { dir, told } = await watching(
        backend,
        'watch = "DIR/d"\nrecursive = true\ndot_directories = false\non = "close_write"',
        (dir) => {
          for (const name of ["d", "d/.git", "d/.git/sub", "d/open"]) dir.mkdir(name);
        },
      );
      dir.write("d/.git/sub/1", "text");
      dir.write("d/.file", "text");
      dir.write("d/open/2", "text");
      expect(await told()).toEqual(["close_write d/.file", "close_write d/open/2"]);
      renameSync(dir.join("d/open"), dir.join("d/.open"));
      await told();
      dir.write("d/.open/3", "text");
      renameSync(dir.join("d/.git"), dir.join("d/git"));
      await told();
      dir.write("d/git/sub/4", "text");
      const now = await told();
      expect(now).toContain("close_write d/git/sub/4");
      expect(now).not.toContain("close_write d/.open/3");
    });

    backendTest("once is once, and a reload does not change that", async () => {
      const { dir, facron, told } = await watching(
        backend,
        'watch = "DIR/d"\nonce = true\non = "close_write"',
        (dir) => dir.mkdir("d"),
      );
      dir.write("d/1", "text");
      dir.write("d/2", "text");
      expect(await told()).toEqual(["close_write d/1"]);
      facron.signal("SIGUSR1");
      await facron.waitForLog(/^facron: reloaded/m);
      dir.write("d/3", "text");
      expect(await told()).toEqual(["close_write d/1"]);
    });
  });
}
