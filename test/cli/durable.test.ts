/** Durable rules in the built binary: killed, stopped and started again; and facron queue. */
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { killDurable } from "../../scripts/bench/kill-durable.ts";
import { newSeed } from "../contract/random.ts";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, linesOf } from "./support.ts";

interface Keys {
  readonly on?: string;
  readonly more?: string;
  /** Of a shell line, which has the name in $1. */
  readonly then?: string;
  readonly name?: string;
}

/** A configuration with one durable rule on DIR/in, whose command writes each name to DIR/ran. */
function configure(
  dir: TempDir,
  { on = '"close_write"', more = "", then = "true", name = "import" }: Keys = {},
) {
  mkdirSync(dir.join("in"), { recursive: true });
  const script = dir.script("record", `printf '%s\\n' "$1" >>${dir.join("ran")}; ${then}`);
  return dir.write(
    "facron.toml",
    `[facron]\nstate_dir = "${dir.join("state")}"\n[[rule]]\nname = "${name}"\nwatch = "${dir.join("in")}"\n` +
      `on = ${on}\nrun = ["${script}", "{name}"]\ndurable = true\n${more}\n`,
  );
}

const ran = (dir: TempDir): string[] => linesOf(dir.join("ran"));

async function haveRun(dir: TempDir, facron: RunningBinary, count: number): Promise<void> {
  await waitFor(() => ran(dir).length >= count, {
    what: `${count} runs`,
    state: () => `${ran(dir).join(" ")}\n${facron.log}`,
  });
}

async function start(config: string): Promise<RunningBinary> {
  return await runBinary(["-c", config]).ready();
}

/** What is in the queue, as JSON. */
async function queueOf(config: string): Promise<Record<string, unknown>[]> {
  const { stdout, stderr, code } = await answerTo(["queue", "--json", "-c", config]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

async function queueHas(config: string, states: readonly string[]): Promise<void> {
  const has = async () =>
    Bun.deepEquals(
      (await queueOf(config)).map(({ state }) => state),
      states,
    );
  await waitFor(has, { what: `a queue with ${states.join(", ") || "nothing"}` });
}

async function killed(facron: RunningBinary): Promise<void> {
  facron.signal("SIGKILL");
  // Its commands live on, and keep its stderr.
  await waitFor(() => facron.exited, { what: "SIGKILL to end facron" });
}

describe("after SIGKILL", () => {
  test("what had not succeeded runs again, and what had does not", async () => {
    const dir = tempDir();
    const config = configure(dir, {
      then: `[ -e ${dir.join("go")} ] || [ $1 = done ] || sleep 60`,
    });
    const first = await start(config);
    dir.write("in/done");
    await haveRun(dir, first, 1);
    await queueHas(config, []);
    dir.write("in/interrupted");
    await haveRun(dir, first, 2);
    await killed(first);
    dir.write("go");
    const second = await start(config);
    await haveRun(dir, second, 3);
    await second.stop();
    expect(ran(dir)).toEqual(["done", "interrupted", "interrupted"]);
    expect(await queueOf(config)).toEqual([]);
  });

  test("every trigger of a busy rule has run, and the journal is sound", async () => {
    const dir = tempDir({ on: "disk" });
    const given = { kills: 50, triggers: 5_000, seed: newSeed() };
    await start(configure(dir)).then((facron) => facron.stop()); // it is built
    const directory = dir.mkdir("kills");
    const { seconds, repeats, ...rest } = await killDurable({
      ...{ facron: binaryPath, directory },
      ...given,
    });
    expect(rest).toEqual({ missing: 0, integrity: "ok", left: 0 });
    // Those that were running: 16 at once. More only if it is killed before it gets to write that they ended.
    expect(repeats).toBeLessThan(given.kills * 32);
  }, 120_000);
});

describe("what changed while facron was down", () => {
  async function afterDown(
    keys: Keys,
    before: (dir: TempDir) => void,
    down: (dir: TempDir) => void,
  ) {
    const dir = tempDir();
    const config = configure(dir, keys);
    before(dir);
    const first = await start(config);
    await waitFor(() => stateHasMoment(dir), { what: "the first moment in the journal" });
    await first.stop();
    await Bun.sleep(20); // the files' clock has gone on
    down(dir);
    const second = await start(config);
    await second.waitForLog(/Since facron ended: /);
    dir.write("in/live");
    await waitFor(() => ran(dir).includes("live"), { what: "the live event" });
    await second.stop();
    return { dir, log: second.log, names: ran(dir), events: second.events };
  }

  /** It is written in the end at the latest. */
  function stateHasMoment(dir: TempDir): boolean {
    return readdirSync(dir.join("state")).some((name) => name.endsWith(".journal"));
  }

  test.each(["fanotify", "inotify"])(
    "is found by %s: new, changed and moved files, in new directories too",
    async (backend) => {
      const { dir, names, events } = await afterDown(
        { on: '["close_write", "moved_to"]', more: `recursive = true\nbackend = "${backend}"` },
        (dir) => dir.write("in/old"),
        (dir) => {
          dir.write("in/new");
          writeFileSync(dir.join("in/old"), "changed");
          dir.write("prepared");
          renameSync(dir.join("prepared"), dir.join("in/moved"));
          dir.write("in/sub/deep");
        },
      );
      expect(names.sort()).toEqual(["deep", "live", "moved", "new", "old"]);
      const found = events.filter(({ path }) => path !== dir.join("in/live"));
      expect(new Set(found.map(({ synthetic }) => synthetic))).toEqual(new Set(["restart"]));
    },
  );

  test("is found as the rule asks: created, or moved there", async () => {
    const act = (dir: TempDir) => {
      dir.write("in/new");
      writeFileSync(dir.join("in/old"), "changed");
    };
    const created = await afterDown({ on: '"create"' }, (dir) => dir.write("in/old"), act);
    expect(created.names.sort()).toEqual(["live", "new"]);
    const closed = await afterDown({ on: '"close_write"' }, (dir) => dir.write("in/old"), act);
    expect(closed.names.sort()).toEqual(["live", "new", "old"]);
  });

  test("is not what was there before, was not changed, or is gone", async () => {
    const { names } = await afterDown(
      {},
      (dir) => {
        dir.write("in/old");
      },
      (dir) => {
        dir.write("in/gone");
        unlinkSync(dir.join("in/gone"));
      },
    );
    expect(names).toEqual(["live"]);
  });

  test("is told once more of the last moment before, and runs nothing again", async () => {
    const dir = tempDir();
    const config = configure(dir);
    const first = await start(config);
    dir.write("in/a");
    await haveRun(dir, first, 1);
    await queueHas(config, []);
    await first.stop();
    const second = await start(config);
    await second.waitForLines(1);
    expect(second.events).toMatchObject([{ path: dir.join("in/a"), synthetic: "restart" }]);
    dir.write("in/live");
    await haveRun(dir, second, 2);
    await second.stop();
    expect(ran(dir)).toEqual(["a", "live"]);
  });

  test("is nothing to rules that are not durable", async () => {
    const other = (dir: TempDir) =>
      dir.write(
        "facron.toml",
        `[facron]\nstate_dir = "${dir.join("state")}"\n` +
          ["durable", "plain"]
            .map(
              (name) =>
                `[[rule]]\nname = "${name}"\nwatch = "${dir.join("in")}"\non = "close_write"\n` +
                `run = ["${dir.join("record")}", "${name}"]\ndurable = ${name === "durable"}\n`,
            )
            .join(""),
      );
    const dir = tempDir();
    configure(dir);
    const config = other(dir);
    const first = await start(config);
    await first.stop();
    dir.write("in/a");
    const second = await start(config);
    await haveRun(dir, second, 1);
    dir.write("in/b");
    await haveRun(dir, second, 3);
    await second.stop();
    expect(ran(dir).sort()).toEqual(["durable", "durable", "plain"]);
  });
});

describe("a stop", () => {
  test("leaves what it cut short for the next start, and does not call it dead", async () => {
    const dir = tempDir();
    const config = configure(dir, {
      then: `[ -e ${dir.join("go")} ] || sleep 60`,
      more: "max_running = 1",
    });
    const first = await start(config);
    dir.write("in/a");
    dir.write("in/b");
    await haveRun(dir, first, 1);
    first.signal("SIGTERM");
    await first.waitForLog(/SIGTERM: reading/);
    first.signal("SIGTERM"); // the command gets its own now
    await first.exit();
    expect(first.log).toContain("Stopping: 1 command waiting, kept for the next start\n");
    expect(first.log).not.toContain("abandoned");
    expect((await queueOf(config)).map(({ state, path }) => [state, path])).toEqual([
      ["waiting", dir.join("in/a")],
      ["waiting", dir.join("in/b")],
    ]);
    dir.write("go");
    const second = await start(config);
    await haveRun(dir, second, 3);
    await second.stop();
    expect(ran(dir)).toEqual(["a", "a", "b"]);
    expect(await queueOf(config)).toEqual([]);
  });
});

test("what waits to be tried again is left for the next start, and is not called given up", async () => {
  const dir = tempDir();
  const config = configure(dir, {
    then: "exit 7",
    more: `retry = { times = 2, backoff = "1h", max_backoff = "1h" }\non_failure = ["/bin/touch", "${dir.join("given-up")}"]`,
  });
  const facron = await start(config);
  dir.write("in/a");
  await facron.waitForLog(/tried again in/);
  await facron.stop();
  const { log } = facron;
  expect(log).toContain(`"${dir.join("in/a")}" is left for the next start: exited 7`);
  expect(log).not.toContain("given up");
  expect(existsSync(dir.join("given-up"))).toBe(false);
  expect((await queueOf(config)).map(({ state }) => state)).toEqual(["waiting"]);
});

test("what a durable rule's own command does is done with, and not run at the next start", async () => {
  const dir = tempDir();
  const config = configure(dir, { then: `echo again >${dir.join("in")}/$1` });
  const first = await start(config);
  dir.write("in/a");
  await haveRun(dir, first, 1);
  await queueHas(config, []);
  await first.stop();
  expect(await queueOf(config)).toEqual([]);
  expect(ran(dir)).toEqual(["a"]);
});

test("of what comes while a rule is suspended only the last is kept for its return", async () => {
  const dir = tempDir();
  const config = configure(dir, {
    then: `[ -e ${dir.join("go")} ] || echo >>${dir.join("in")}/"$1"`,
    more: 'loop = "allow"',
  });
  const first = await start(config);
  dir.write("in/a");
  await first.waitForLog(/a loop, 20 runs in 10 s/);
  for (let i = 0; i < 5; i++) {
    const lines = first.events.length;
    dir.write("in/a");
    await first.waitForLines(lines + 1); // else the kernel makes one record of them
  }
  await queueHas(config, ["waiting"]);
  await killed(first);
  dir.write("go");
  const before = ran(dir).length;
  const second = await start(config);
  dir.write("in/b");
  await waitFor(() => ran(dir).includes("b"), { what: "the live event" });
  await second.stop();
  expect(ran(dir).slice(before).sort()).toEqual(["a", "b"]);
});

describe("facron queue", () => {
  test("lists what died, and has a running facron try it again", async () => {
    const dir = tempDir();
    const config = configure(dir, { then: `[ -e ${dir.join("go")} ] || exit 3` });
    await using facron = await start(config);
    dir.write("in/a");
    await queueHas(config, ["dead"]);
    const [entry] = await queueOf(config);
    const times = { came: expect.any(String), died: expect.any(String) };
    expect(entry).toEqual({
      ...{ v: 1, id: 1, state: "dead", rule: "import", runs: 1, events: ["close_write"] },
      ...{ path: dir.join("in/a"), error: "exited 3", ...times },
    });
    const { stdout } = await answerTo(["queue", "-c", config]);
    expect(stdout).toMatch(/^ID +STATE +RULE +CAME +RUNS +EVENTS +PATH\n1 +dead +"import" /);
    expect(stdout).toEndWith(`"${dir.join("in/a")}" (exited 3)\n`);
    dir.write("go");
    const retried = await answerTo(["queue", "retry", "1", "-c", config]);
    expect(retried).toMatchObject({ stdout: "1 event put back\n", code: 0 });
    await haveRun(dir, facron, 2);
    await queueHas(config, []);
  });

  test("drops what waits, and a running facron does not run it", async () => {
    const dir = tempDir();
    const then = `until [ -e ${dir.join("go")} ]; do sleep 0.01; done`;
    const config = configure(dir, { then, more: "max_running = 1" });
    await using facron = await start(config);
    for (const name of ["a", "b", "c"]) dir.write(`in/${name}`);
    await queueHas(config, ["running", "waiting", "waiting"]);
    expect((await answerTo(["queue", "drop", "2", "-c", config])).stdout).toBe("1 event dropped\n");
    await queueHas(config, ["running", "waiting"]);
    dir.write("go");
    await haveRun(dir, facron, 2);
    await queueHas(config, []);
    await facron.stop();
    expect(ran(dir)).toEqual(["a", "c"]);
  });

  test("works without a facron, and by rule", async () => {
    const dir = tempDir();
    const config = configure(dir, { then: `[ -e ${dir.join("go")} ] || exit 3` });
    const first = await start(config);
    for (const name of ["a", "b", "c"]) dir.write(`in/${name}`);
    await queueHas(config, ["dead", "dead", "dead"]);
    await first.stop();
    expect((await answerTo(["queue", "drop", "1", "-c", config])).stdout).toBe("1 event dropped\n");
    const retried = await answerTo(["queue", "retry", "--rule", "import", "-c", config]);
    expect(retried.stdout).toBe("2 events put back\n");
    await queueHas(config, ["waiting", "waiting"]);
    dir.write("go");
    const second = await start(config);
    await haveRun(dir, second, 5);
    await queueHas(config, []);
    await second.stop();
  });

  test.each<[string, readonly string[], RegExp, number]>([
    ["no choice", ["drop"], /Cannot tell what to drop: name ids .*, --rule NAME or --all$/, 2],
    ["a word that is none", ["lsit"], /Unknown word "lsit" after queue: use list, retry, drop$/, 2],
    ["what is no id", ["drop", "x"], /"x" is no id: facron queue list shows/, 2],
    [
      "a rule that is not there",
      ["drop", "--rule", "imprt"],
      /No durable rule "imprt": use "import"$/,
      2,
    ],
    ["it of a list too", ["--rule", "imprt"], /No durable rule "imprt": use "import"$/, 2],
    ["an id that is not there", ["drop", "7"], /No event 7 in the queue: facron queue list/, 1],
  ])("refuses %s", async (_, words, says, code) => {
    const dir = tempDir();
    const config = configure(dir);
    await (await start(config)).stop();
    const answer = await answerTo(["queue", ...words, "-c", config]);
    expect(answer.stderr.trim()).toMatch(says);
    expect(answer.code).toBe(code);
  });

  test("knows a rule that has had no events yet", async () => {
    const dir = tempDir();
    const config = configure(dir, { on: '"open"' });
    await (await start(config)).stop();
    const answer = await answerTo(["queue", "drop", "--rule", "import", "-c", config]);
    expect(answer).toMatchObject({ stdout: "0 events dropped\n", code: 0 });
  });

  test("says that its state_dir is a file", async () => {
    const dir = tempDir();
    const config = configure(dir);
    dir.write("state");
    const answer = await answerTo(["queue", "-c", config]);
    expect(answer.stderr).toContain(
      `in "${dir.join("state")}": that is no directory; name another --state-dir`,
    );
  });

  test("says whose journals there are if there is none of this configuration", async () => {
    const dir = tempDir();
    const config = configure(dir);
    const none = await answerTo(["queue", "-c", config]);
    expect(none).toMatchObject({ code: 1 });
    expect(none.stderr).toContain(`No journal of "${config}" in "${dir.join("state")}"`);
    await (await start(config)).stop();
    const other = await answerTo(["queue", "-c", "/none.toml", "--state-dir", dir.join("state")]);
    expect(other.stderr).toContain(
      `name the configuration of one of these with --config: "${config}"\n`,
    );
  });
});

describe("facron with a journal that cannot be used", () => {
  test("does not start, and says why", async () => {
    const dir = tempDir();
    const config = configure(dir);
    await using _ = await start(config);
    const second = await answerTo(["-c", config]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/another facron runs ".*" \(pid \d+\); end that one, or set/);
  });

  test("goes on after a reload, and says so", async () => {
    const dir = tempDir();
    const config = configure(dir);
    dir.write("facron.toml", "");
    await using facron = await start(config);
    configure(dir);
    dir.write("state");
    facron.signal("SIGUSR1");
    await facron.waitForLog(/Cannot use the state directory .*; until then no rule is durable\n/);
    await facron.waitForLog(/reloaded/);
    dir.write("in/a");
    await haveRun(dir, facron, 1);
    rmSync(dir.join("state"));
  });

  test("--dry-run keeps out of it", async () => {
    const dir = tempDir();
    const config = configure(dir);
    await using _ = await start(config);
    await using facron = await runBinary(["--dry-run", "-c", config]).ready();
    dir.write("in/a");
    await facron.waitForLog(/would run/);
  });
});
