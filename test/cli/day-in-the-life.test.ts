/** A day in the life of an administrator who has a facron.conf: what a script gets, byte for byte. */
import { describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** Writes its arguments into DIR/got.PID, each with a NUL behind it. */
function recorder(dir: TempDir): string {
  const part = dir.join("part.$$");
  const whole = dir.join("got.$$");
  return dir.script("record", `printf '%s\\0' "$@" >${part}; mv ${part} ${whole}`);
}

/** What the runs of the recorder got so far: arguments as one char for one byte. */
function runsIn(dir: TempDir): string[][] {
  return readdirSync(dir.path)
    .filter((name) => name.startsWith("got."))
    .map((name) => readFileSync(dir.join(name), "latin1").split("\0").slice(0, -1));
}

async function firstRun(dir: TempDir): Promise<string[]> {
  return waitFor(() => runsIn(dir)[0], { what: "the first run of the script" });
}

/** facron over DIR/in, in which each closed file starts the recorder. @param command its arguments */
async function recording(dir: TempDir, args: string): Promise<RunningBinary> {
  const table = `${dir.mkdir("in")} close_write ${recorder(dir)} ${args}\n`;
  return runBinary(["-c", dir.write("facron.conf", table)]).ready();
}

describe("the example of facron's manual", () => {
  test("PATH FAN_MODIFY|FAN_EVENT_ON_CHILD on a file runs its script with the path", async () => {
    const dir = tempDir();
    const file = dir.write("path/to/file");
    const mask = "FAN_MODIFY|FAN_EVENT_ON_CHILD";
    const table = `${file} ${mask} ${recorder(dir)} fromFacron $$\n`;
    await using facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    appendFileSync(file, "text");
    expect(await firstRun(dir)).toEqual(["fromFacron", file]);
    await facron.stop();
    expect(runsIn(dir)).toHaveLength(1);
    expect(facron.events).toMatchObject([{ events: ["modify"], path: file }]);
  });

  test("on a directory runs its script for what is in it", async () => {
    const dir = tempDir();
    const mask = "FAN_MODIFY|FAN_EVENT_ON_CHILD";
    const table = `${dir.mkdir("in")} ${mask} ${recorder(dir)} fromFacron $$\n`;
    await using _facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    dir.write("in/a", "text");
    expect(await firstRun(dir)).toEqual(["fromFacron", dir.join("in/a")]);
  });

  test("goes on after an editor has replaced the file by a rename", async () => {
    const dir = tempDir();
    const file = dir.write("file", "old");
    const table = `${file} FAN_CLOSE_WRITE ${recorder(dir)} $$\n`;
    await using facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    Bun.spawnSync(["mv", dir.write("file.new", "new"), file]);
    await facron.waitForEvent("the new file", ({ path }) => path === file);
    const before = facron.lines.length;
    appendFileSync(file, "newer");
    await facron.waitForLines(before + 1);
  });
});

describe("a script gets", () => {
  test("$@ $# $$ $* as directory, name, path and the pid of who did it", async () => {
    const dir = tempDir();
    const table = `${dir.mkdir("in")} FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD ${recorder(dir)} $@ $# $$ $*\n`;
    await using _facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    dir.write("in/a");
    expect(await firstRun(dir)).toEqual([
      dir.join("in"),
      "a",
      dir.join("in/a"),
      String(process.pid),
    ]);
  });

  const names = {
    "with spaces and quotes": ` it's "a name" `,
    "that a shell would run": "$(touch pwned) `touch pwned`; touch pwned & | > pwned",
    "with a newline": "first\nsecond",
    "that looks like an option or a token": "-rf $$ $@ --",
    "with all other bytes that are ASCII": printable(),
    "in Latin-1, not UTF-8": "caf\xe9",
    "of bytes that are never UTF-8": "\xff\xfe\xc0\x80\xed\xa0\x80",
    "in UTF-8": Buffer.from("čaj 茶 🍵").toString("latin1"),
    "of 255 bytes": "\xe9".repeat(255),
  };
  for (const [claim, name] of Object.entries(names)) {
    test(`a name ${claim}, as one argument, byte for byte`, async () => {
      const dir = tempDir();
      await using facron = await recording(dir, "before $# after $$");
      writeFileSync(Buffer.from(`${dir.path}/in/${name}`, "latin1"), "");
      const path = `${dir.path}/in/${name}`;
      expect(await firstRun(dir)).toEqual(["before", name, "after", path]);
      await facron.stop();
      expect(existsSync(dir.join("in/pwned")) || existsSync("/pwned")).toBe(false);
      expect(runsIn(dir)).toHaveLength(1);
    });
  }

  test("words that only contain a token, an empty one and quotes as they are", async () => {
    const dir = tempDir();
    await using _facron = await recording(dir, `x$$ $$x "a b" 'c"d' "" '$#' last`);
    dir.write("in/a");
    expect(await firstRun(dir)).toEqual(["x$$", "$$x", "a b", 'c"d', "", "a", "last"]);
  });

  test("$+ $- $= from a counter that all rules share", async () => {
    const dir = tempDir();
    const program = recorder(dir);
    const table = [
      `${dir.mkdir("up")} close_write ${program} up $+ $+ $= $-`,
      `${dir.mkdir("down")} close_write ${program} down $= $- $-`,
    ];
    await using _facron = await runBinary([
      "-c",
      dir.write("facron.conf", `${table.join("\n")}\n`),
    ]).ready();
    dir.write("up/a");
    expect(await firstRun(dir)).toEqual(["up", "1", "2", "2", "1"]);
    dir.write("down/a");
    await waitFor(() => runsIn(dir).length === 2, { what: "the second run" });
    expect(runsIn(dir)).toContainEqual(["down", "1", "0", "4294967295"]);
  });
});

/** Every byte that a name can have and that is ASCII, except letters. */
function printable(): string {
  const bytes = Array.from({ length: 0x7f }, (_, byte) => String.fromCharCode(byte + 1));
  return bytes.filter((char) => !/[a-zA-Z/]/.test(char)).join("");
}

describe("facron follows paths that facron 1.1 did not", () => {
  const watched = {
    "through a symbolic link": (dir: TempDir) => {
      Bun.spawnSync(["ln", "-s", dir.mkdir("real"), dir.join("in")]);
      return dir.join("in");
    },
    "with a slash at the end": (dir: TempDir) => `${dir.mkdir("in")}/`,
    "with double slashes and dots": (dir: TempDir) => `${dir.mkdir("in")}//.//`,
    "in quotes, with spaces": (dir: TempDir) => `"${dir.mkdir("in")}"`,
  };
  for (const [claim, make] of Object.entries(watched)) {
    test(claim, async () => {
      const dir = tempDir();
      const table = `${make(dir)} FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD ${recorder(dir)} $$\n`;
      await using _facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
      dir.write("in/a");
      expect(await firstRun(dir)).toEqual([dir.join("in/a")]);
    });
  }
});

describe("rules", () => {
  test("without a command emit only", async () => {
    const dir = tempDir();
    await using facron = await runBinary([
      "-c",
      dir.write("facron.conf", `${dir.mkdir("in")} close_write\n`),
    ]).ready();
    dir.write("in/a");
    await facron.waitForLines(1);
    await facron.stop();
    expect(facron.log).not.toContain("rule ");
  });

  test("with one path each run their own command, once for each record", async () => {
    const dir = tempDir();
    const program = recorder(dir);
    const table = `${dir.mkdir("in")} close_write ${program} first $#
${dir.join("in")} close_write,create ${program} second $#
${dir.join("in")} delete ${program} third $#\n`;
    await using facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    dir.write("in/a");
    await facron.waitForEvent("close_write", ({ events }) => events.includes("close_write"));
    await facron.stop();
    const records = facron.events.length; // create and close_write are one record, or two
    const first = runsIn(dir).filter(([rule]) => rule === "first");
    const second = runsIn(dir).filter(([rule]) => rule === "second");
    expect(first).toEqual([["first", "a"]]);
    expect(second).toHaveLength(records);
    expect(runsIn(dir)).toHaveLength(records + 1);
  });

  test("A|B run once both have happened to one path, one after the other", async () => {
    const dir = tempDir();
    const table = `${dir.mkdir("in")} FAN_CREATE|FAN_CLOSE_WRITE|FAN_EVENT_ON_CHILD ${recorder(dir)} $#\n`;
    await using facron = await runBinary(["-c", dir.write("facron.conf", table)]).ready();
    for (let i = 0; i < 20; i++) dir.write(`in/${i}`);
    await waitFor(() => runsIn(dir).length === 20, { what: "20 runs" });
    await facron.stop();
    expect(new Set(runsIn(dir).map(([name]) => name)).size).toBe(20);
    expect(runsIn(dir)).toHaveLength(20);
  });
});
