/** What the tests of the action room share: a log to look at, triggers to hand over, real commands. */
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../ffi/bytes.ts";
import { setCloseOnExec } from "../../ffi/fd.ts";
import type { Ending } from "../../src/action/ending.ts";
import { Launcher, type Spawn } from "../../src/action/launcher.ts";
import { Runner } from "../../src/action/runner.ts";
import { OutputLog } from "../../src/action/output-log.ts";
import { spawnCommand, type Start } from "../../src/action/spawn.ts";
import type { Started } from "../../src/action/started.ts";
import type { Log } from "../../src/log.ts";
import { TriggerWriter } from "../../src/reader/trigger.ts";
import type { Rule, RunAs } from "../../src/rule/rule.ts";
import { Counters, type Word } from "../../src/rule/template.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** Lines as "level: text". */
export class MemoryLog implements Log {
  readonly lines: string[] = [];
  info = (text: string): void => void this.lines.push(`info: ${text}`);
  warn = (text: string): void => void this.lines.push(`warn: ${text}`);
  error = (text: string): void => void this.lines.push(`error: ${text}`);
}

export interface Ended {
  readonly pid: number;
  readonly ending: Ending;
  /** What it wrote to stdout and stderr. */
  readonly output: string;
}

const self = [process.execPath, join(import.meta.dir, "../../src/main.ts")];

/** As facron itself, with nothing said of an event. */
export function plainStart(argv: readonly Uint8Array[]): Start {
  const place = new Uint8Array(0);
  return {
    argv,
    variables: [],
    runAs: null,
    place,
    surroundings: null,
    stdin: null,
    title: 'rule "r"',
  };
}

/** Its lines go to `log`; it may not die. */
export function testOutputLog(log: Log = new MemoryLog()): OutputLog {
  const onDeath = (reason: string): void => {
    throw new Error(reason);
  };
  const url = new URL("../../src/action/worker.ts", import.meta.url);
  return new OutputLog({ url, log, onDeath });
}

const outputLog = testOutputLog();

/** Start a command, wait for its end. @throws {ActionError} as spawnCommand */
export async function runToEnd(
  argv: readonly Uint8Array[],
  outputPath: string,
  cwd = process.cwd(),
): Promise<Ended> {
  const stderrFd = openSync(outputPath, "w");
  try {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const options = { cwd, self, stderrFd, outputLog, onExit: resolve };
    const { pid } = spawnCommand(plainStart(argv), options);
    const ending = await promise;
    return { pid, ending, output: readFileSync(outputPath, "utf8") };
  } finally {
    closeSync(stderrFd);
  }
}

/** Other test files share this process, and Bun.spawn leaves a memfd that commands would inherit. */
export function closeOthersOnExec(): void {
  for (const fd of readdirSync("/proc/self/fd").map(Number)) if (fd > 2) setCloseOnExec(fd);
}

export interface StartedTest {
  readonly started: Started;
  /** When it has ended. */
  readonly ending: Promise<Ending>;
}

/** Start a command whose output goes to a file, and have all of it killed at the end of the test. */
export function startTest(
  argv: readonly (string | Uint8Array)[],
  more: Partial<Start>,
  { stderrFd = 2, log = outputLog }: { stderrFd?: number; log?: OutputLog } = {},
): StartedTest {
  const bytes = argv.map((word) => (typeof word === "string" ? utf8(word) : word));
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const started = spawnCommand(
    { ...plainStart(bytes), ...more },
    { cwd: "/", self, stderrFd, outputLog: log, onExit: resolve },
  );
  atTestEnd(async () => {
    started.signal(9);
    await promise;
    await waitFor(() => started.isGone(), { what: "the end of all that a command has started" });
    started.release();
  });
  return { started, ending: promise };
}

export interface Ran {
  /** Null: it was not started. */
  readonly ending: Exclude<Ending, { kind: "not-started" }> | null;
  /** Why it was not. */
  readonly error: string | null;
  /** Of stdout and stderr; one char for one byte. */
  readonly output: string;
}

/** Run words to their end. */
export async function run(
  argv: readonly (string | Uint8Array)[],
  more: Partial<Start> = {},
): Promise<Ran> {
  using dir = tempDir();
  const stderrFd = openSync(dir.join("out"), "a");
  try {
    const { started, ending } = startTest(argv, more, { stderrFd });
    const ended = await ending;
    started.release();
    const output = readFileSync(dir.join("out"), "latin1");
    if (ended.kind !== "not-started") return { ending: ended, error: null, output };
    return { ending: null, error: ended.error.message, output };
  } catch (error) {
    return { ending: null, error: (error as Error).message, output: "" };
  } finally {
    closeSync(stderrFd);
  }
}

/** The same of a script. */
export const sh = (script: string, more: Partial<Start> = {}): Promise<Ran> =>
  run(["/bin/sh", "-c", script], more);

export function as(user: string): RunAs {
  return { user, clearsEnvironment: false, needsAccess: false };
}

/** The message of the error with which a command is not started. */
export async function startErrorOf(argv: readonly Uint8Array[], output: string): Promise<string> {
  try {
    return (await runToEnd(argv, output)).ending.kind;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A rule that runs these words; "{path}" is the trigger's path, "{up}" the counter raised. */
export function ruleThatRuns(...words: string[]): Rule {
  const values: Record<string, Word> = {
    "{path}": [{ value: "path" }],
    "{up}": [{ value: "counter_up" }],
  };
  const command = { words: words.map((word) => values[word] ?? [{ literal: utf8(word) }]) };
  return { name: "import", watch: [], backend: "auto", condition: [], command };
}

/** A buffer with one trigger for each path. @param rule its index */
export function triggersFor(paths: readonly (string | Uint8Array)[], rule = 0): ArrayBuffer {
  const writer = new TriggerWriter();
  const nothing = new Uint8Array(0);
  for (const [seq, path] of paths.entries()) {
    const bytes = typeof path === "string" ? utf8(path) : path;
    writer.add(rule, 8, 0, seq, bytes, nothing, 0, 0, null);
  }
  return writer.take();
}

/** "0", "1", ... as paths. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index));
}

/** A process that no signal reaches. */
export const immortal: Started = {
  pid: 0,
  signal: () => {},
  isGone: () => false,
  isDead: () => false,
  release: () => {},
};

/** Starts real commands. */
export function testLauncher({
  log,
  stderrFd,
  output = outputLog,
}: {
  readonly log: Log;
  readonly stderrFd: number;
  readonly output?: OutputLog;
}): Launcher {
  const options = { cwd: "/", self, stderrFd, outputLog: output };
  const spawn: Spawn = (start, onExit) => spawnCommand(start, { ...options, onExit });
  return new Launcher({ log, spawn, counters: new Counters() });
}

export interface TestRunner {
  readonly runner: Runner;
  readonly log: MemoryLog;
  /** Sum of what `onStarted` was told. */
  readonly started: () => number;
  /** Hand over one trigger for each path. */
  readonly trigger: (rule: Rule, paths: readonly (string | Uint8Array)[]) => void;
}

/** A runner of real commands, which are killed at the end of the test. */
export function testRunner({ maxRunning = 16 } = {}): TestRunner {
  const log = new MemoryLog();
  let started = 0;
  const stderrFd = openSync("/dev/null", "w");
  const runner = new Runner({
    maxRunning,
    log,
    onStarted: (count) => (started += count),
    launcher: testLauncher({ log, stderrFd }),
    readUp: () => {},
  });
  atTestEnd(async () => {
    const stopped = runner.stop({ graceMs: 0, killAfterMs: 1000 });
    runner.hurry();
    runner.hurry();
    await stopped;
    closeSync(stderrFd);
  });
  const trigger = (rule: Rule, paths: readonly (string | Uint8Array)[]) =>
    runner.enqueue([rule], triggersFor(paths), paths.length);
  return { runner, log, started: () => started, trigger };
}
