/** Commands that decide: real ones, by real signals, in real groups. */
import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { fromLatin1 } from "../../ffi/bytes.ts";
import { gateBits } from "../../src/rule/gate.ts";
import { addAccount, needsAccounts } from "../helpers/account.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { askWorld, type AskWorld, gateThatAsks } from "./ask-world.ts";
import { as } from "./support.ts";

const alice = addAccount();
const path = [{ value: "path" }] as const;
const name = [{ value: "name" }] as const;

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "latin1").split("\n").slice(0, -1) : [];
}

/** Everything that was asked, and not given up, is answered. */
async function allAnswered({ answers }: AskWorld, count: number): Promise<string[]> {
  await waitFor(() => answers.size === count, {
    what: `${count} answers`,
    state: () => JSON.stringify([...answers]),
  });
  return [...answers.values()];
}

/** A pid and a time differ. */
function withoutNumbers(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line.replace(/after \d+ ms/, "after N ms").replace(/pid \d+/, "pid N"),
  );
}

/** It says its first word in DIR/seen, and goes on when DIR/go is there. @returns the script's path */
function patient(dir: TempDir): string {
  const wait = `while [ ! -e ${dir.join("go")} ]; do sleep 0.01; done`;
  return dir.script("patient", `echo "$1" >>${dir.join("seen")}; ${wait}`);
}

describe("Asker", () => {
  test("exit status 0 allows, any other denies", async () => {
    using dir = tempDir();
    const script = dir.script("decide", 'exit "${1##*/}"');
    const world = askWorld([gateThatAsks([script, path])]);
    for (const status of [0, 1, 2, 127, 255]) world.ask(`/srv/${status}`);
    await allAnswered(world, 5);
    const given = [1, 2, 3, 4, 5].map((id) => world.answers.get(id));
    expect(given).toEqual(["allow", "deny", "deny", "deny", "deny"]);
    expect(world.log.lines).toEqual([]);
    expect(world.families).toEqual({ begun: 5, ended: 5 });
  });

  test("a command that is killed is an error, said once for many files", async () => {
    using dir = tempDir();
    const script = dir.script("die", "kill -SEGV $$");
    const world = askWorld([gateThatAsks([script], { onError: "deny" })]);
    for (let turn = 0; turn < 20; turn++) world.ask();
    expect(new Set(await allAnswered(world, 20))).toEqual(new Set(["error"]));
    expect(withoutNumbers(world.log.lines)).toEqual([
      `warn: gate "scan": "${script}" was killed by SIGSEGV after N ms (pid N); on_error decides: deny`,
    ]);
    expect(world.asker.status().get("scan")).toMatchObject({ runs: 20, failed: 20, running: 0 });
  });

  test("a command that cannot be started is an error at once, said once", () => {
    const world = askWorld([gateThatAsks(["/no/such"])]);
    for (let turn = 0; turn < 20; turn++) world.ask();
    expect([...world.answers.values()]).toEqual(Array(20).fill("error"));
    expect(world.log.lines).toEqual([
      'error: gate "scan": Cannot start "/no/such": no such file; on_error decides: allow',
    ]);
    expect(world.families).toEqual({ begun: 20, ended: 20 });
  });

  test("runs max_running at once and no more, and the rest when there is room", async () => {
    using dir = tempDir();
    const world = askWorld([gateThatAsks([patient(dir), name], { maxRunning: 8 })]);
    for (let turn = 0; turn < 30; turn++) world.ask(`/srv/${turn}`);
    await waitFor(() => linesOf(dir.join("seen")).length === 8, { what: "8 commands" });
    expect(world.asker.status().get("scan")).toMatchObject({
      ...{ running: 8, maxRunning: 8, waiting: 22, runs: 8 },
    });
    expect(world.answers.size).toBe(0);
    writeFileSync(dir.join("go"), "");
    expect(new Set(await allAnswered(world, 30))).toEqual(new Set(["allow"]));
    expect(linesOf(dir.join("seen")).length).toBe(30);
  });

  test("one gate that is busy is in no other's way", async () => {
    using dir = tempDir();
    const busy = gateThatAsks([patient(dir), name], { maxRunning: 1 });
    const other = { ...gateThatAsks(["/bin/true"]), name: "other" };
    const world = askWorld([busy, other]);
    for (let turn = 0; turn < 3; turn++) world.ask();
    const id = world.ask({ gate: 1 });
    await allAnswered(world, 1);
    expect(world.answers.get(id)).toBe("allow");
  });

  test("asks in the order of the questions", async () => {
    using dir = tempDir();
    const script = dir.script("append", `echo "$1" >>${dir.join("seen")}`);
    const world = askWorld([gateThatAsks([script, name], { maxRunning: 1 })]);
    const names = Array.from({ length: 20 }, (_, index) => `${index}`);
    for (const one of names) world.ask(`/srv/${one}`);
    await allAnswered(world, 20);
    expect(linesOf(dir.join("seen"))).toEqual(names);
  });

  test("dry run: what would be run is said, and nothing is denied", () => {
    const runAs = as("alice");
    const world = askWorld([gateThatAsks(["/no/such", path], { runAs })], { dryRun: true });
    world.ask("/srv/a b");
    expect([...world.answers.values()]).toEqual(["allow"]);
    expect(world.log.lines).toEqual([
      "info: gate \"scan\": would run as alice: /no/such '/srv/a b'",
    ]);
    expect(world.families).toEqual({ begun: 0, ended: 0 });
  });
});

describe("what is asked", () => {
  /** The FACRON_ variables and words that a command is given; one char for one byte. */
  async function toldOf(question: Parameters<AskWorld["ask"]>[0], ...words: string[]) {
    using dir = tempDir();
    const script = dir.script(
      "show",
      `cat /proc/$$/environ >${dir.join("environ")}; cat /proc/$$/cmdline >${dir.join("words")}`,
    );
    const parts = words.map((word) => [{ value: word as "path" }]);
    const world = askWorld([gateThatAsks([script, ...parts])]);
    world.ask(question);
    await allAnswered(world, 1);
    const entriesOf = (file: string): string[] =>
      readFileSync(dir.join(file), "latin1").split("\0").slice(0, -1);
    const environment = entriesOf("environ").filter((entry) => entry.startsWith("FACRON_"));
    return {
      environment: environment.filter((entry) => !entry.startsWith("FACRON_TEST_")),
      words: entriesOf("words").slice(2),
    };
  }

  test("is told in the environment, byte for byte", async () => {
    const asked = {
      path: fromLatin1("/srv/caf\xe9/\xff =\n"),
      comm: fromLatin1("\xfe"),
      exe: fromLatin1("/bin/\xfd"),
    };
    expect((await toldOf(asked)).environment).toEqual([
      "FACRON_PATH=/srv/caf\xe9/\xff =\n",
      "FACRON_NAME=\xff =\n",
      "FACRON_DIR=/srv/caf\xe9",
      "FACRON_EVENTS=open_perm",
      "FACRON_PID=4711",
      "FACRON_COMM=\xfe",
      "FACRON_EXE=/bin/\xfd",
      "FACRON_UID=1000",
      "FACRON_RULE=scan",
      "FACRON_GATE=scan",
    ]);
  });

  test("and which part of the file it is about, before it is there", async () => {
    const range = { offset: 2 ** 40, count: 4096 };
    const events = gateBits.pre_access;
    const unknown = { pid: 0, comm: null, exe: null, uid: null };
    expect((await toldOf({ events, range, ...unknown })).environment).toEqual([
      "FACRON_PATH=/srv/f",
      "FACRON_NAME=f",
      "FACRON_DIR=/srv",
      "FACRON_EVENTS=pre_access",
      "FACRON_RULE=scan",
      "FACRON_GATE=scan",
      `FACRON_OFFSET=${2 ** 40}`,
      "FACRON_COUNT=4096",
    ]);
  });

  test("fills words as for rules, byte for byte", async () => {
    const asked = {
      path: fromLatin1("/srv/\xff.tar.gz"),
      events: gateBits.open_perm | gateBits.open_exec_perm,
    };
    const words = ["path", "dir", "name", "stem", "ext", "events", "pid", "comm", "exe", "uid"];
    expect((await toldOf(asked, ...words, "rule", "seq", "from")).words).toEqual([
      "/srv/\xff.tar.gz",
      "/srv",
      "\xff.tar.gz",
      "\xff.tar",
      "gz",
      "open_perm,open_exec_perm",
      "4711",
      "cat",
      "/usr/bin/cat",
      "1000",
      "scan",
      "0",
      "",
    ]);
  });
});

describe("who decides, and where", () => {
  needsAccounts("another user, with its own environment, and only it", async () => {
    using dir = tempDir();
    chmodSync(dir.path, 0o755);
    const script = dir.script("who", '[ "$(id -un) $USER" = "$1 $1" ]');
    const words = [script, alice.name];
    const asAlice = gateThatAsks(words, { runAs: as(alice.name) });
    const world = askWorld([asAlice, { ...gateThatAsks(words), name: "root's" }]);
    const ids = [world.ask(), world.ask({ gate: 1 })];
    await allAnswered(world, 2);
    expect(ids.map((id) => world.answers.get(id))).toEqual(["allow", "deny"]);
  });

  needsAccounts("what that user may not start is an error of the gate", async () => {
    using dir = tempDir();
    chmodSync(dir.path, 0o755);
    const script = dir.write("mine", "#!/bin/sh\n", { mode: 0o700 });
    const world = askWorld([gateThatAsks([script], { runAs: as(alice.name) })]);
    for (let turn = 0; turn < 3; turn++) world.ask();
    expect(await allAnswered(world, 3)).toEqual(["error", "error", "error"]);
    expect(world.log.lines.length).toBe(1);
    expect(world.log.lines[0]).toStartWith(
      `error: gate "scan": Cannot start "${script}" as "${alice.name}": permission denied`,
    );
    expect(world.log.lines[0]).toEndWith("; on_error decides: allow");
  });

  test("directory, umask and environment are the gate's", async () => {
    using dir = tempDir();
    const check = '[ "$(pwd) $(umask) $HOME $LEVEL" = "$1 0027  9" ]';
    const surroundings = {
      ...{ cwd: dir.path, umask: 0o27, environment: { LEVEL: "9" }, clearsEnvironment: true },
    };
    const world = askWorld([
      gateThatAsks([dir.script("where", check), dir.path], { surroundings }),
    ]);
    world.ask();
    expect(await allAnswered(world, 1)).toEqual(["allow"]);
  });

  test("its output in the log says which gate it is", async () => {
    using dir = tempDir();
    const surroundings = { output: { kind: "log" } } as const;
    const script = dir.script("say", "echo found EICAR; echo $$ >&2; exit 1");
    const world = askWorld([gateThatAsks([script], { surroundings })]);
    world.ask();
    expect(await allAnswered(world, 1)).toEqual(["deny"]);
    await world.written();
    const pid = world.log.lines[1]!.split(" ").at(-1);
    expect(world.log.lines).toEqual([
      `info: gate "scan" [pid ${pid}]: found EICAR`,
      `info: gate "scan" [pid ${pid}]: ${pid}`,
    ]);
  });
});

describe("what is given up", () => {
  test("is not started if it waits, and the others keep their order", async () => {
    using dir = tempDir();
    const world = askWorld([gateThatAsks([patient(dir), name], { maxRunning: 1 })]);
    const ids = ["a", "b", "c", "d"].map((one) => world.ask(`/srv/${one}`));
    world.asker.giveUp(ids[1]!, "timeout");
    world.asker.giveUp(ids[2]!, "closed");
    world.asker.giveUp(999, "timeout"); // it has been answered
    expect(world.asker.status().get("scan")).toMatchObject({ running: 1, waiting: 1, givenUp: 2 });
    writeFileSync(dir.join("go"), "");
    await allAnswered(world, 2);
    expect([...world.answers.keys()]).toEqual([ids[0]!, ids[3]!]);
    expect(linesOf(dir.join("seen"))).toEqual(["a", "d"]);
    expect(world.log.lines).toEqual([
      'warn: gate "scan": A question waited for one of 1 places until the gate\'s timeout of 2s: raise max_running; on_timeout decides: allow',
    ]);
  });

  test("is told to end with all of its group, and has its place until then", async () => {
    using dir = tempDir();
    const child = `trap 'echo >${dir.join("told")}; while [ ! -e ${dir.join("go")} ]; do :; done; exit' TERM`;
    const script = dir.script(
      "family",
      `sh -c "${child}; echo >${dir.join("begun")}; while :; do :; done" & exec tail -f /dev/null`,
    );
    const world = askWorld([
      gateThatAsks([script], { maxRunning: 1, onTimeout: "deny" }),
      gateThatAsks(["/bin/true"]),
    ]);
    const given = world.ask();
    await waitFor(() => existsSync(dir.join("begun")), { what: "the command's child" });
    const after = world.ask({ gate: 1 });
    world.asker.giveUp(given, "timeout");
    await waitFor(() => existsSync(dir.join("told")), { what: "SIGTERM for the child" });
    expect(world.asker.status().get("scan")).toMatchObject({ running: 1, waiting: 1 });
    writeFileSync(dir.join("go"), "");
    await allAnswered(world, 1);
    expect([...world.answers]).toEqual([[after, "allow"]]);
    expect(withoutNumbers(world.log.lines)).toEqual([
      `warn: gate "scan": "${script}" runs longer than the gate's timeout of 2s: told to end (pid N); on_timeout decides: deny`,
    ]);
    expect(world.families).toEqual({ begun: 2, ended: 2 });
  });

  test("is killed 5 s later if it does not end", async () => {
    using dir = tempDir();
    const script = dir.script(
      "stubborn",
      `trap '' TERM; echo $$ >${dir.join("begun")}; while :; do sleep 1; done`,
    );
    const world = askWorld([gateThatAsks([script])]);
    const id = world.ask();
    await waitFor(() => existsSync(dir.join("begun")), { what: "the command" });
    world.asker.giveUp(id, "closed");
    const start = performance.now();
    await waitFor(() => world.asker.status().get("scan")!.running === 0, { what: "its end" });
    expect(performance.now() - start).toBeGreaterThan(4_900);
    expect(withoutNumbers(world.log.lines)).toEqual([
      `warn: gate "scan": "${script}" was killed by SIGKILL after N ms (pid N), as SIGTERM did not end it`,
    ]);
    expect(world.answers.size).toBe(0);
  });
});

test("a thread that asks from the start again gets no answer to what the one before it has asked", async () => {
  using dir = tempDir();
  const deny = `trap '' TERM; echo >${dir.join("begun")}; while [ ! -e ${dir.join("go")} ]; do sleep 0.01; done; exit 1`;
  const stubborn = gateThatAsks([dir.script("stubborn", deny)], { maxRunning: 2 });
  const world = askWorld([stubborn]);
  world.ask({ id: 1 });
  await waitFor(() => existsSync(dir.join("begun")), { what: "the command" });
  world.asker.giveUpAll();
  world.asker.follow([gateThatAsks(["/bin/true"], { maxRunning: 2 })], 2);
  world.ask({ id: 1, generation: 2 });
  await allAnswered(world, 1);
  expect([...world.answers.values()]).toEqual(["allow"]);
  expect(world.asker.status().get("scan")).toMatchObject({ running: 1 });
  writeFileSync(dir.join("go"), "");
  await waitFor(() => world.asker.status().get("scan")!.running === 0, { what: "the other" });
  expect([...world.answers.values()]).toEqual(["allow"]);
});

describe("a reload", () => {
  test("questions mean the gates of their generation, until the first of the next", async () => {
    const world = askWorld([gateThatAsks(["/bin/false"])]);
    world.asker.follow([gateThatAsks(["/bin/true"])], 2);
    const before = world.ask();
    const after = world.ask({ generation: 2 });
    const late = world.ask();
    await allAnswered(world, 3);
    const given = [before, after, late].map((id) => world.answers.get(id));
    expect(given).toEqual(["deny", "allow", "error"]);
  });

  test("max_running holds for what waits, and a gate that is gone is forgotten when it rests", async () => {
    using dir = tempDir();
    const words = [patient(dir), name];
    const world = askWorld([gateThatAsks(words, { maxRunning: 1 })]);
    for (let turn = 0; turn < 5; turn++) world.ask();
    world.asker.follow([gateThatAsks(words, { maxRunning: 3 })], 2);
    expect(world.asker.status().get("scan")).toMatchObject({ running: 3, waiting: 2 });
    world.asker.follow([], 3);
    expect([...world.asker.status().keys()]).toEqual(["scan"]);
    writeFileSync(dir.join("go"), "");
    await allAnswered(world, 5);
    world.asker.follow([], 4);
    expect(world.asker.status().size).toBe(0);
  });
});

describe("stop", () => {
  const stopOptions = { graceMs: 60_000, killAfterMs: 60_000 };

  test("lets what runs answer, and answers the rest with an error", async () => {
    using dir = tempDir();
    const world = askWorld([gateThatAsks([patient(dir), name], { maxRunning: 2 })]);
    for (let turn = 0; turn < 4; turn++) world.ask(`/srv/${turn}`);
    const stopped = world.asker.stop(stopOptions);
    expect([...world.answers]).toEqual([
      [3, "error"],
      [4, "error"],
    ]);
    const late = world.ask();
    expect(world.answers.get(late)).toBe("error");
    writeFileSync(dir.join("go"), "");
    expect(await stopped).toEqual({ abandoned: 0, terminated: 0, killed: 0 });
    expect([world.answers.get(1), world.answers.get(2)]).toEqual(["allow", "allow"]);
    expect(linesOf(dir.join("seen")).sort()).toEqual(["0", "1"]);
  });

  test("terminates what does not end, when somebody cannot wait", async () => {
    using dir = tempDir();
    const world = askWorld([gateThatAsks([patient(dir), name])]);
    world.ask();
    await waitFor(() => linesOf(dir.join("seen")).length === 1, { what: "the command" });
    const stopped = world.asker.stop(stopOptions);
    world.asker.hurry();
    expect(await stopped).toEqual({ abandoned: 0, terminated: 1, killed: 0 });
    expect([...world.answers.values()]).toEqual(["error"]);
    expect(world.log.lines[0]).toBe("warn: Stopping: 1 command still running, sent SIGTERM");
  });

  test("is over at once when nothing runs", async () => {
    const world = askWorld([gateThatAsks(["/bin/true"])]);
    expect(await world.asker.stop(stopOptions)).toEqual({ abandoned: 0, terminated: 0, killed: 0 });
  });
});
