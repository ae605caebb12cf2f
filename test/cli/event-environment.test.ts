/** FACRON_*: what every command is told of its event, whatever dialect its rule is written in. */
import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";

/** As a second facron would find it: these are about another event. */
const inherited = {
  FACRON_PATH: "/stale",
  FACRON_FROM: "/stale",
  FACRON_PID: "1",
  FACRON_X: "kept",
};

/** DIR/show writes its FACRON_ variables to DIR/seen. */
function watchedDir(): { dir: TempDir; script: string } {
  const dir = tempDir();
  dir.mkdir("in");
  const script = dir.script("show", `cat /proc/$$/environ >${dir.join("seen")}`);
  return { dir, script };
}

/** One char for one byte; sorted, without the tests' own. */
async function seen(facron: RunningBinary, dir: TempDir): Promise<string[]> {
  await facron.waitForLog(/exited 0/);
  const entries = readFileSync(dir.join("seen"), "latin1").split("\0");
  const ours = entries.filter((entry) => /^FACRON_(?!TEST_)/.test(entry));
  return ours.map((entry) => entry.replace(/^FACRON_PID=\d+$/, "FACRON_PID=N")).sort();
}

const dialects: [name: string, table: (dir: TempDir, script: string) => string][] = [
  [
    "facron.toml",
    (dir, script) =>
      `[[rule]]\nname = "r"\nwatch = ["${dir.join("in")}"]\non = ["close_write"]\nrun = ["${script}"]\nbackend = "inotify"\n`,
  ],
  ["facron.conf", (dir, script) => `${dir.join("in")} IN_CLOSE_WRITE ${script}\n`],
];

describe("the environment of a command", () => {
  for (const [name, table] of dialects) {
    test(`tells of the event: ${name}`, async () => {
      const { dir, script } = watchedDir();
      const config = dir.write(name, table(dir, script));
      await using facron = await runBinary(["-c", config], { env: inherited }).ready();
      writeFileSync(Buffer.concat([utf8(`${dir.join("in")}/`), fromLatin1("\xff\n")]), "");
      const entries = await seen(facron, dir);
      expect(entries.filter((entry) => !entry.startsWith("FACRON_RULE="))).toEqual([
        `FACRON_DIR=${dir.join("in")}`,
        "FACRON_EVENTS=close_write",
        "FACRON_NAME=\xff\n",
        `FACRON_PATH=${dir.join("in")}/\xff\n`,
        "FACRON_SEQ=1",
        "FACRON_X=kept",
      ]);
      expect(entries.some((entry) => entry.startsWith("FACRON_RULE="))).toBe(true);
    });
  }

  needsRoot("watches by fanotify")("tells both names of a rename, and who did it", async () => {
    const { dir, script } = watchedDir();
    dir.write("in/old");
    const config = dir.write("facron.conf", `${dir.join("in")} FAN_RENAME ${script}\n`);
    await using facron = await runBinary(["-c", config], { env: inherited }).ready();
    renameSync(dir.join("in/old"), dir.join("in/new"));
    const entries = await seen(facron, dir);
    expect(entries).toContain(`FACRON_FROM=${dir.join("in/old")}`);
    expect(entries).toContain(`FACRON_PATH=${dir.join("in/new")}`);
    expect(entries).toContain("FACRON_EVENTS=rename");
    expect(entries).toContain("FACRON_PID=N");
    const line = facron.events.find(({ events }) => events.includes("rename"))!;
    expect(entries).toContain(`FACRON_SEQ=${line.seq}`);
  });
});
