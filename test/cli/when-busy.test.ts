/** `when_busy = "skip"`: one command at a time, and nothing that it did itself starts it again. */
import { describe, expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { needsRoot } from "../helpers/requires.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { childrenOf, isAlive, linesOf, statusOf } from "./support.ts";

const onEvents = '["create", "close_write", "moved_to", "delete", "attrib"]';

interface RuleText {
  readonly name: string;
  readonly run: string;
  readonly more?: string;
  readonly on?: string;
}

function ruleText(dir: TempDir, { name, run, more = "", on = onEvents }: RuleText): string {
  return `[[rule]]\nname = "${name}"\nwatch = ["${dir.join("in")}"]\non = ${on}\nrun = ["${run}", "{path}"]\n${more}\n`;
}

/** Facron on DIR/in. */
async function facronFor(dir: TempDir, ...rules: RuleText[]): Promise<RunningBinary> {
  dir.mkdir("in");
  const text = rules.map((rule) => ruleText(dir, rule)).join("");
  return await runBinary(["-c", dir.write("facron.toml", text)]).ready();
}

const ran = (dir: TempDir): string[] => linesOf(dir.join("ran"));

/** The reader has read all that happened before, and the rule's turn is over. */
async function turnIsOver(facron: RunningBinary, turns: number): Promise<void> {
  const over = () => facron.log.split("while its command ran").length - 1 >= turns;
  await waitFor(over, { what: `the end of turn ${turns}`, state: () => facron.log });
}

/**
 * One event from outside, and no second one: between the two of a file that is written a whole turn
 * has room if the machine is busy.
 */
function arrive(dir: TempDir, path: string): void {
  renameSync(dir.write("prepared"), path);
}

/** The command has stopped facron, done what it does, and is gone. */
async function commandEndedUnheard(facron: RunningBinary): Promise<void> {
  const isStopped = () => statusOf(facron.pid)?.["State"]?.startsWith("T") === true;
  const ended = () => {
    const children = childrenOf(facron.pid);
    return isStopped() && children.length > 0 && !children.some(isAlive);
  };
  await waitFor(ended, { what: "the end of the command", state: () => facron.log });
}

/** What a command does in the watched directory right before its end. */
const lastActs: [claim: string, act: string][] = [
  ["a file", 'echo >"$in/result"'],
  ["a file that a descriptor keeps open to the end", 'exec 5>"$in/result"; echo >&5; exit 0'],
  ["a rename", 'echo >"$in/part"; mv "$in/part" "$in/result"'],
  ["a tree", 'mkdir -p "$in/t$$/a/b/c"; echo >"$in/t$$/a/b/c/f"; echo >"$in/t$$/g"'],
  ["many files", 'for i in 1 2 3 4 5 6 7 8 9; do echo >"$in/r$i"; done; rm "$in"/r?'],
  ["a tree that goes again", 'mkdir -p "$in/u/a/b"; echo >"$in/u/a/f"; rm -r "$in/u"'],
];

describe("a rule that skips while it is busy", () => {
  for (const backend of ["fanotify", "inotify"]) {
    const backendTest = backend === "fanotify" ? needsRoot("watches by fanotify") : test;
    for (const [claim, act] of lastActs) {
      backendTest(
        `runs once for each event from outside, though its command leaves ${claim}: ${backend}`,
        async () => {
          const dir = tempDir();
          const script = dir.script(
            "run",
            `in=${dir.join("in")}; echo "$1" >>${dir.join("ran")}; ${act}`,
          );
          const more = `order = "rule"\nwhen_busy = "skip"\nloop = "allow"\nrecursive = true\nbackend = "${backend}"`;
          await using facron = await facronFor(dir, { name: "x", run: script, more });
          const outside = Array.from({ length: 10 }, (_, index) => dir.join(`in/outside${index}`));
          for (const [index, path] of outside.entries()) {
            arrive(dir, path);
            await turnIsOver(facron, index + 1);
          }
          await facron.stop();
          expect(ran(dir)).toEqual(outside);
        },
      );
    }
  }

  for (const backend of ["fanotify", "inotify"]) {
    const backendTest = backend === "fanotify" ? needsRoot("watches by fanotify") : test;
    for (const [claim, act] of lastActs) {
      backendTest(`hears of the end before it has read of ${claim}: ${backend}`, async () => {
        const dir = tempDir();
        const script = dir.script(
          "run",
          `kill -STOP $PPID; in=${dir.join("in")}; echo "$1" >>${dir.join("ran")}; ${act}`,
        );
        const more = `order = "rule"\nwhen_busy = "skip"\nloop = "allow"\nrecursive = true\nbackend = "${backend}"`;
        await using facron = await facronFor(dir, { name: "x", run: script, more });
        for (const turn of [1, 2]) {
          arrive(dir, dir.join(`in/outside${turn}`));
          await commandEndedUnheard(facron);
          facron.signal("SIGCONT");
          await turnIsOver(facron, turn);
        }
        await facron.stop();
        expect(ran(dir)).toEqual([dir.join("in/outside1"), dir.join("in/outside2")]);
      });
    }
  }

  test("counts what happens while its command runs in one line", async () => {
    const dir = tempDir();
    const script = dir.script(
      "run",
      `echo "$1" >>${dir.join("ran")}; until [ -e ${dir.join("go")} ]; do sleep 0.01; done`,
    );
    const on = '["close_write"]';
    await using facron = await facronFor(dir, {
      name: "x",
      run: script,
      on,
      more: 'order = "rule"\nwhen_busy = "skip"\nloop = "allow"',
    });
    dir.write("in/first");
    await waitFor(() => ran(dir).length === 1, { what: "the command" });
    for (const name of ["a", "b", "c"]) dir.write(`in/${name}`);
    await facron.waitForLines(4);
    dir.write("go");
    await turnIsOver(facron, 1);
    expect(facron.log).toContain('facron: rule "x": passed over 3 events while its command ran\n');
    dir.write("in/last");
    await waitFor(() => ran(dir).length === 2, { what: "the next command" });
    expect(ran(dir)).toEqual([dir.join("in/first"), dir.join("in/last")]);
  });

  test("does not hold up other rules", async () => {
    const dir = tempDir();
    const busy = dir.script("busy", `until [ -e ${dir.join("go")} ]; do sleep 0.01; done`);
    const other = dir.script("other", `echo "$1" >>${dir.join("ran")}`);
    const on = '["close_write"]';
    await using facron = await facronFor(
      dir,
      { name: "busy", run: busy, on, more: 'order = "rule"\nwhen_busy = "skip"\nloop = "allow"' },
      { name: "other", run: other, on },
    );
    for (const name of ["a", "b", "c"]) dir.write(`in/${name}`);
    await waitFor(() => ran(dir).length === 3, { what: "the other rule's commands" });
    dir.write("go");
    await turnIsOver(facron, 1);
  });

  test("is not kept busy by a command that cannot be started", async () => {
    const dir = tempDir();
    const more = 'order = "rule"\nwhen_busy = "skip"\nloop = "allow"';
    await using facron = await facronFor(dir, {
      name: "x",
      run: "/no/such",
      on: '["close_write"]',
      more,
    });
    for (const name of ["a", "b", "c"]) dir.write(`in/${name}`);
    await facron.waitForLines(3);
    await facron.stop();
    expect(facron.log.match(/rule "x": Cannot start "\/no\/such": no such file$/gm)).toHaveLength(
      3,
    );
  });

  test("says what it passed over also when facron ends", async () => {
    const dir = tempDir();
    const script = dir.script(
      "run",
      `echo "$1" >>${dir.join("ran")}; until [ -e ${dir.join("go")} ]; do sleep 0.01; done`,
    );
    const on = '["close_write"]';
    await using facron = await facronFor(dir, {
      name: "x",
      run: script,
      on,
      more: 'order = "rule"\nwhen_busy = "skip"\nloop = "allow"',
    });
    dir.write("in/first");
    await waitFor(() => ran(dir).length === 1, { what: "the command" });
    dir.write("in/a");
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    dir.write("go");
    await facron.exit();
    expect(facron.log).toContain('facron: rule "x": passed over 1 event while its command ran\n');
    expect(ran(dir)).toHaveLength(1);
  });
});
