/** How runs relate to events and to each other: the keys of a rule, in the built binary. */
import { describe, expect, test } from "bun:test";
import {
  closeSync,
  fchmodSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { childrenOf, isAlive, linesOf, writeFiles } from "./support.ts";

/** A rule on DIR/in whose command is this script: in DIR, with the path as $1. */
function ruleText(
  dir: TempDir,
  name: string,
  script: string,
  keys: string,
  words = "{path}",
): string {
  const program = dir.script(name, `cd ${dir.path}; ${script}`);
  const head = `[[rule]]\nname = "${name}"\nwatch = "${dir.join("in")}"\non = "close_write"`;
  return `${head}\nrun = ["${program}", "${words}"]\n${keys}\n`;
}

interface Given {
  readonly dir: TempDir;
  readonly facron: RunningBinary;
  /** What the commands wrote into DIR/ran. */
  readonly ran: () => string[];
  /** Wait for so many lines of that. */
  readonly hasRan: (count: number) => Promise<string[]>;
}

async function given(dir: TempDir, text: string): Promise<Given> {
  dir.mkdir("in");
  const facron = await runBinary(["-c", dir.write("facron.toml", text)]).ready();
  const ran = () => linesOf(dir.join("ran"));
  const hasRan = async (count: number) => {
    const what = `${count} lines of commands`;
    await waitFor(() => ran().length >= count, { what, state: () => `${facron.log}${ran()}` });
    return ran();
  };
  return { dir, facron, ran, hasRan };
}

/** Written and closed, and facron has read it. */
async function write(facron: RunningBinary, dir: TempDir, name: string, text = ""): Promise<void> {
  const lines = facron.events.length;
  writeFileSync(dir.join(`in/${name}`), text);
  await facron.waitForLines(lines + 1);
}

const note = 'echo "$1" >>ran';
const untilGo = "while ! [ -e go ]; do sleep 0.01; done";

describe("order", () => {
  test('"path": those of one path come one after the other, and others meanwhile', async () => {
    using dir = tempDir();
    const script = `echo "start $1" >>ran; [ "$1" = ${dir.join("in/a")} ] && ${untilGo}; echo "end $1" >>ran`;
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", script, ""));
    for (const name of ["a", "a", "b", "a"]) await write(facron, dir, name);
    const [a, b] = [dir.join("in/a"), dir.join("in/b")];
    expect((await hasRan(3)).sort()).toEqual([`end ${b}`, `start ${a}`, `start ${b}`]);
    dir.write("go");
    const all = await hasRan(8);
    const ofA = all.filter((line) => line.endsWith(a));
    expect(ofA).toEqual([1, 2, 3].flatMap(() => [`start ${a}`, `end ${a}`]));
  });

  test('"rule": no two commands of the rule at once, in the order of the events', async () => {
    using dir = tempDir();
    const script = `echo "start $1" >>ran; sleep 0.01; echo "end $1" >>ran`;
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", script, 'order = "rule"'));
    for (let i = 0; i < 10; i++) await write(facron, dir, `${i}`);
    const names = Array.from({ length: 10 }, (_, i) => dir.join(`in/${i}`));
    expect(await hasRan(20)).toEqual(names.flatMap((name) => [`start ${name}`, `end ${name}`]));
  });

  test('"none": also those of one path run at once', async () => {
    using dir = tempDir();
    const script = `echo x >>ran; ${untilGo}`;
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", script, 'order = "none"'));
    for (let i = 0; i < 3; i++) await write(facron, dir, "a");
    await hasRan(3);
    dir.write("go");
  });
});

describe("limits", () => {
  test("max_running of a rule", async () => {
    using dir = tempDir();
    dir.mkdir("running");
    const script = "touch running/$$; ls running | wc -l >>ran; sleep 0.02; rm running/$$";
    const { hasRan } = await given(dir, ruleText(dir, "r", script, "max_running = 3"));
    writeFiles(dir.join("in"), 30);
    const counts = (await hasRan(30)).map(Number);
    expect(Math.max(...counts)).toBe(3);
  });

  test("a rule whose commands hang leaves a place to the others", async () => {
    using dir = tempDir();
    const rules =
      ruleText(dir, "hangs", untilGo, "") +
      ruleText(dir, "works", note, "").replace('"close_write"', '"create"');
    const { facron, hasRan } = await given(dir, rules);
    writeFiles(dir.join("in"), 40);
    expect(await hasRan(40)).toHaveLength(40);
    expect(childrenOf(facron.pid).length).toBeLessThanOrEqual(16);
    dir.write("go");
  });

  test.each(["drop_oldest", "drop_new"])(
    "when_full = %p keeps max_queued, and says the rest",
    async (key) => {
      using dir = tempDir();
      const keys = `max_running = 1\nmax_queued = 5\nwhen_full = "${key}"`;
      const script = `${note}; ${untilGo}`;
      const { facron, hasRan, ran } = await given(dir, ruleText(dir, "r", script, keys));
      await write(facron, dir, "first");
      await hasRan(1);
      for (let i = 0; i < 20; i++) await write(facron, dir, `${i}`);
      await facron.waitForLog(/rule "r": \d+ events? dropped, as 5 waited/);
      dir.write("go");
      await facron.stop();
      const kept = key === "drop_new" ? [0, 1, 2, 3, 4] : [15, 16, 17, 18, 19];
      expect(ran()).toEqual([dir.join("in/first"), ...kept.map((name) => dir.join(`in/${name}`))]);
    },
  );

  test('when_full = "block" holds the reading back, and loses nothing', async () => {
    using dir = tempDir();
    const keys = "max_running = 2\nmax_queued = 10";
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", `${note}; ${untilGo}`, keys));
    writeFiles(dir.join("in"), 12, "a");
    await facron.waitForLines(12);
    writeFiles(dir.join("in"), 100, "b");
    await facron.waitForLog(/Reading no more events for now/);
    dir.write("go");
    expect(new Set(await hasRan(112)).size).toBe(112);
  });
});

describe("when_busy", () => {
  test('"merge": one more run, for all that came meanwhile', async () => {
    using dir = tempDir();
    const script = `echo "run $FACRON_COUNT" >>ran; ${untilGo}`;
    const { facron, hasRan, ran } = await given(
      dir,
      ruleText(dir, "r", script, 'when_busy = "merge"'),
    );
    await write(facron, dir, "a");
    await hasRan(1);
    for (let i = 0; i < 5; i++) await write(facron, dir, "a");
    dir.write("go");
    await hasRan(2);
    await facron.stop();
    expect(ran()).toEqual(["run ", "run 5"]);
  });

  test('"restart": what runs is ended, and the newest has its turn', async () => {
    using dir = tempDir();
    const script = `trap 'echo "ended $FACRON_SEQ" >>ran; exit 1' TERM; echo "run $FACRON_SEQ" >>ran; ${untilGo}`;
    const { facron, hasRan } = await given(
      dir,
      ruleText(dir, "r", script, 'when_busy = "restart"'),
    );
    await write(facron, dir, "a");
    await hasRan(1);
    await write(facron, dir, "a");
    expect(await hasRan(3)).toEqual(["run 1", "ended 1", "run 2"]);
    await facron.waitForLog(/rule "r": "[^"]+" exited 1 after .+: stopped for its restart\n/);
    dir.write("go");
  });

  test('"signal": what runs is told, and no other is started', async () => {
    using dir = tempDir();
    const script = `trap 'echo told >>ran' USR1; echo run >>ran; ${untilGo}`;
    const keys = 'when_busy = "signal"\nbusy_signal = "USR1"';
    const { facron, hasRan, ran } = await given(dir, ruleText(dir, "r", script, keys));
    await write(facron, dir, "a");
    await hasRan(1);
    await write(facron, dir, "a");
    await hasRan(2);
    dir.write("go");
    await facron.stop();
    expect(ran()).toEqual(["run", "told"]);
  });
});

describe("gathering", () => {
  test("settle: one run for a writer that opens and closes again and again", async () => {
    using dir = tempDir();
    const script = 'echo "$FACRON_COUNT $(cat "$1")" >>ran';
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", script, 'settle = "300ms"'));
    for (let i = 1; i <= 10; i++) await write(facron, dir, "a", `${i}\n`);
    expect(await hasRan(1)).toEqual(["10 10"]);
  });

  test("settle_max: a writer that never rests does not keep its path from running", async () => {
    using dir = tempDir();
    const keys = 'settle = "1s"\nsettle_max = "1s"';
    const { facron, ran } = await given(dir, ruleText(dir, "r", "echo $FACRON_COUNT >>ran", keys));
    const start = performance.now();
    while (ran().length === 0 && performance.now() - start < 10_000) await write(facron, dir, "a");
    expect(ran()).toHaveLength(1);
  });

  test("throttle: the first, and then the last for all between", async () => {
    using dir = tempDir();
    const script = 'echo "$FACRON_COUNT $(cat "$1")" >>ran';
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", script, 'throttle = "500ms"'));
    await write(facron, dir, "a", "1\n");
    await hasRan(1);
    for (let i = 2; i <= 10; i++) await write(facron, dir, "a", `${i}\n`);
    expect(await hasRan(2)).toEqual([" 1", "9 10"]);
  });

  test("batch: as many as max in one run, or those that came within wait", async () => {
    using dir = tempDir();
    const keys = 'batch = { max = 10, wait = "200ms" }\norder = "rule"';
    const script = 'echo "$# $FACRON_COUNT" >>ran';
    const { hasRan } = await given(dir, ruleText(dir, "r", script, keys, "{paths}"));
    writeFiles(dir.join("in"), 25);
    expect(await hasRan(3)).toEqual(["10 10", "10 10", "5 5"]);
  });

  test("stdin = paths0: names with spaces, line ends and bytes that are no UTF-8", async () => {
    using dir = tempDir();
    const keys = 'batch = { max = 3, wait = "10s" }\nstdin = "paths0"';
    const script = "cat >got; echo x >>ran";
    const { hasRan } = await given(dir, ruleText(dir, "r", script, keys));
    const names = ["a b", "line\nend", "\xff"];
    for (const name of names) writeFileSync(Buffer.from(`${dir.join("in")}/${name}`, "latin1"), "");
    await hasRan(1);
    const expected = names.map((name) => `${dir.join("in")}/${name}\0`).join("");
    expect(readFileSync(dir.join("got"), "latin1")).toBe(expected);
  });

  test("stdin = json: the lines that stdout has", async () => {
    using dir = tempDir();
    const keys = 'batch = { max = 4, wait = "10s" }\nstdin = "json"';
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", "cat >got; echo x >>ran", keys));
    for (const name of ["a", 'quote"', "a", "c"]) await write(facron, dir, name);
    await hasRan(1);
    expect(linesOf(dir.join("got"))).toEqual([...facron.lines]);
  });
});

describe("with inotify, which does not say who did it", () => {
  test("a file that is closed while the command of its creation runs is followed", async () => {
    using dir = tempDir();
    const script = `echo "$FACRON_EVENTS" >>ran; ${untilGo}`;
    const rule = ruleText(dir, "r", script, 'backend = "inotify"');
    const text = rule.replace('"close_write"', '["create", "close_write"]');
    const { facron, hasRan } = await given(dir, text);
    const fd = openSync(dir.join("in/a"), "w");
    await hasRan(1);
    writeSync(fd, "all of it");
    closeSync(fd);
    await facron.waitForLines(2);
    dir.write("go");
    expect(await hasRan(2)).toEqual(["create", "close_write"]);
  });

  test("what is queued when the command starts is followed", async () => {
    using dir = tempDir();
    const script = 'echo "$FACRON_EVENTS" >>ran';
    const rule = ruleText(dir, "r", script, 'backend = "inotify"');
    const text = rule.replace('"close_write"', '["create", "modify", "attrib", "close_write"]');
    const { facron, hasRan } = await given(dir, text);
    for (let i = 0; i < 50; i++) {
      const fd = openSync(dir.join(`in/${i}`), "w");
      writeSync(fd, "x");
      fchmodSync(fd, 0o600);
      closeSync(fd);
    }
    await hasRan(200);
    await facron.stop();
    expect(facron.log).not.toContain("passed over");
  });
});

describe("failing", () => {
  test("timeout: nothing is left of a command that ignores SIGTERM, nor of what it started", async () => {
    using dir = tempDir();
    const script = `trap '' TERM; (trap '' TERM; sleep 1000 & echo $! >>ran; wait) & echo $$ >>ran; wait`;
    const keys = 'timeout = "200ms"\nkill_after = "200ms"';
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", script, keys));
    await write(facron, dir, "a");
    const pids = (await hasRan(2)).map(Number);
    await facron.waitForLog(/runs longer than its timeout of 0.2 s/);
    await waitFor(() => !pids.some(isAlive), { what: "the end of all of them" });
    await facron.waitForLog(/was killed by SIGKILL/);
  });

  test("timeout: where pid 1 reaps nothing, what is dead does not keep the next run waiting", async () => {
    using dir = tempDir();
    const script = "echo $1 >>ran; sleep 1000 & sleep 1000";
    const config = dir.write("c.toml", ruleText(dir, "r", script, 'timeout = "100ms"'));
    mkdirSync(dir.join("in"));
    const inShell = `${binaryPath} -c ${config} >/dev/null 2>${dir.join("log")} & exec sleep 1000`;
    const machine = Bun.spawn([
      "unshare",
      "-pf",
      "--mount-proc",
      "--kill-child",
      "sh",
      "-c",
      inShell,
    ]);
    const ranBy = (count: number) =>
      waitFor(() => linesOf(dir.join("ran")).length >= count, { what: `${count} runs` });
    try {
      await waitFor(() => linesOf(dir.join("log")).includes("facron: ready"), { what: "facron" });
      dir.write("in/a");
      await ranBy(1);
      dir.write("in/a");
      await ranBy(2);
    } finally {
      machine.kill("SIGKILL"); // unshare(1) ignores SIGTERM while it waits
      await machine.exited;
    }
  });

  test("retry, then on_failure with the error", async () => {
    using dir = tempDir();
    const failed = dir.script(
      "failed",
      `cd ${dir.path}; echo "$FACRON_ATTEMPTS $FACRON_ERROR: $1" >>ran`,
    );
    const keys = `retry = { times = 2, backoff = "10ms" }\non_failure = ["${failed}", "{path}"]`;
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", `${note}; exit 7`, keys));
    await write(facron, dir, "a");
    const a = dir.join("in/a");
    expect(await hasRan(4)).toEqual([a, a, a, `3 exited 7: ${a}`]);
  });

  test("retry: events of the same path wait for what is tried again", async () => {
    using dir = tempDir();
    const script = 'echo "$FACRON_SEQ" >>ran; [ -e go ]';
    const keys = 'retry = { times = 1000, backoff = "20ms", max_backoff = "20ms" }';
    const { facron, hasRan, ran } = await given(dir, ruleText(dir, "r", script, keys));
    await write(facron, dir, "a");
    await write(facron, dir, "a");
    await hasRan(4);
    expect(new Set(ran())).toEqual(new Set(["1"]));
    dir.write("go");
    await waitFor(() => ran().at(-1) === "2", { what: "the second event" });
  });

  test("the log tells how a run ended, and then what comes of it", async () => {
    using dir = tempDir();
    const keys = `retry = { times = 1, backoff = "10ms" }\non_failure = ["${dir.join("none")}"]`;
    const { facron } = await given(dir, ruleText(dir, "r", "exit 7", keys));
    await write(facron, dir, "a");
    await facron.waitForLog(/Cannot start/);
    expect(toldOf("r", facron)).toEqual([
      "exited 7",
      "tried again (1 of 1)",
      "exited 7",
      "given up after 2 runs: exited 7",
      "Cannot start",
    ]);
  });

  test("retry: what a stop cuts short is given up, and the log says for what", async () => {
    using dir = tempDir();
    const keys = 'retry = { times = 9, backoff = "1h", max_backoff = "1h" }';
    const { facron, hasRan } = await given(dir, ruleText(dir, "r", `${note}; exit 7`, keys));
    await write(facron, dir, "a");
    await hasRan(1);
    await facron.waitForLog(/tried again in/);
    await facron.stop();
    const end = ["exited 7", "given up after 2 runs: exited 7, and facron ends"];
    expect(toldOf("r", facron)).toEqual(["exited 7", "tried again (1 of 9)", ...end]);
  });
});

/** The log of a rule, without what differs from run to run. */
function toldOf(rule: string, { log }: RunningBinary): string[] {
  const lines = log.matchAll(new RegExp(`rule "${rule}": (.+)`, "g"));
  return [...lines].map(([, text = ""]) =>
    text
      .replace(/ in \w+(?= \()/, "")
      .replace(/ for "[^"]+"/, "")
      .replace(/^"[^"]+" (exited \d+) after .+/, "$1")
      .replace(/^(Cannot start) .+/, "$1"),
  );
}
