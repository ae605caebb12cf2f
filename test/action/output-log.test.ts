/** Output of commands in the log: real commands, real pipes, the real thread. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { addAccount, needsAccounts } from "../helpers/account.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { as, MemoryLog, startTest, type StartedTest, testOutputLog } from "./support.ts";
import type { Start } from "../../src/action/spawn.ts";

const alice = addAccount();
const toLog = { output: { kind: "log" as const } };

/** One log and one thread for each test. */
function logged() {
  const log = new MemoryLog();
  const outputLog = testOutputLog(log);
  const start = (script: string, more: Partial<Start> = {}): StartedTest =>
    startTest(
      ["/bin/sh", "-c", script],
      { title: 'rule "import"', surroundings: toLog, ...more },
      { log: outputLog },
    );
  /** Run it to its end, and have all its lines. */
  const run = async (script: string, more: Partial<Start> = {}): Promise<readonly string[]> => {
    const { ending, started } = start(script, more);
    await ending;
    await outputLog.drain();
    const prefix = `rule "import" [pid ${started.pid}]: `;
    return log.lines.map((line) => line.replace(prefix, ""));
  };
  return { log, outputLog, start, run };
}

/** Reading ends of pipes that this process has open. */
function pipes(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("pipe:");
    } catch {
      return false; // the descriptor that was reading the directory
    }
  }).length;
}

describe("output to the log", () => {
  test("has rule and pid before each line of stdout and stderr", async () => {
    const { log, outputLog, start } = logged();
    const { ending, started } = start("echo one; echo two >&2; printf three");
    await ending;
    await outputLog.drain();
    expect(log.lines).toEqual(
      ["one", "two", "three"].map((line) => `info: rule "import" [pid ${started.pid}]: ${line}`),
    );
  });

  test("is there before the end of the command is told", async () => {
    const { log, start } = logged();
    for (let count = 1; count <= 20; count++) {
      await start("echo done").ending;
      expect(log.lines.length).toBe(count);
    }
  });

  test("waits as any pipe does, and comes whole", async () => {
    const { run } = logged();
    const lines = await run(`awk 'BEGIN { for (i = 0; i < 900; i++) printf "%0200d\\n", i }'`);
    expect(lines.length).toBe(900);
    expect(lines[899]).toBe(`info: ${"899".padStart(200, "0")}`);
  });

  needsAccounts("comes from another user too, also by way of /dev/stderr", async () => {
    const { run } = logged();
    expect(await run("id -un; echo err >/dev/stderr", { runAs: as(alice.name) })).toEqual([
      `info: ${alice.name}`,
      "info: err",
    ]);
  });

  test("of many commands at once stays apart", async () => {
    const { log, outputLog, start } = logged();
    const commands = Array.from({ length: 40 }, (_, at) => start(`echo a${at}; echo b${at}`));
    for (const { ending } of commands) await ending;
    await outputLog.drain();
    for (const [at, { started }] of commands.entries()) {
      const mine = log.lines.filter((line) => line.includes(`[pid ${started.pid}]`));
      expect(mine.map((line) => line.split(": ").at(-1))).toEqual([`a${at}`, `b${at}`]);
    }
  });

  test("shows a line without its end while the command runs", async () => {
    const { log, start } = logged();
    start("printf 'password: '; exec sleep 1000");
    await waitFor(() => log.lines.some((line) => line.endsWith("]: password: ")), {
      what: "the prompt in the log",
    });
  });

  test("of what is left behind is read on, and holds nothing up", async () => {
    using dir = tempDir();
    const { log, start } = logged();
    const go = dir.join("go");
    const left = `while [ ! -e ${go} ]; do sleep 0.01; done; echo left; exec sleep 1000`;
    const { ending, started } = start(`sh -c '${left}' & echo first`);
    expect(await ending).toEqual({ kind: "exited", code: 0 });
    dir.write("go");
    await waitFor(() => log.lines.length === 2, { what: "both lines" });
    expect(log.lines[1]).toBe(`info: rule "import" [pid ${started.pid}]: left`);
  });

  test("goes nowhere once a command has closed it", async () => {
    const { run } = logged();
    expect(await run("echo before; exec >&- 2>&-; sleep 0.05; echo after")).toEqual([
      "info: before",
    ]);
  });

  test("keeps 64 pipes of what is left behind, and says which it closes", async () => {
    const { log, start } = logged();
    const before = pipes();
    const commands = [];
    for (let at = 0; at < 70; at++) {
      const command = start("sleep 1000 & echo started");
      await command.ending;
      commands.push(command);
    }
    const warnings = () => log.lines.filter((line) => line.startsWith("warn: "));
    await waitFor(() => warnings().length === 6, { what: "six warnings" });
    expect(warnings()[0]).toBe(
      `warn: rule "import" [pid ${commands[0]!.started.pid}]: its output was closed: it has ended, a process that it left behind holds it open, and so do those of 64 later commands; redirect the output of what goes on`,
    );
    expect(pipes()).toBe(before + 64);
    for (const { started } of commands) started.signal(9);
    await waitFor(() => pipes() === before, { what: "the end of all pipes" });
  });

  test("leaves no descriptor behind, whether commands start or not", async () => {
    const { run, start } = logged();
    await run("true");
    const before = pipes();
    for (let i = 0; i < 3; i++) await run("echo x");
    const missing = { surroundings: { ...toLog, cwd: "/no/such" } };
    for (let i = 0; i < 3; i++) expect(() => start("true", missing)).toThrow("no such directory");
    await waitFor(() => pipes() === before, { what: "the end of all pipes" });
  });

  test("costs no thread where no rule asks for it", async () => {
    const threads = () => readdirSync("/proc/self/task").length;
    const before = threads();
    const { outputLog, start } = logged();
    await start("true", { surroundings: null }).ending;
    await outputLog.drain();
    expect(threads()).toBeLessThanOrEqual(before);
  });
});

test("the output of a daemon that closes everything is no concern of facron's", async () => {
  using dir = tempDir();
  const { run } = logged();
  const daemon = `cd /; exec <&- >&- 2>&-; echo $$ >${dir.join("pid")}; exec sleep 1000`;
  expect(await run(`echo begun; setsid sh -c '${daemon}' &`)).toEqual(["info: begun"]);
  await waitFor(() => existsSync(dir.join("pid")) && readFileSync(dir.join("pid"), "utf8"), {
    what: "the daemon",
  });
  process.kill(Number(readFileSync(dir.join("pid"), "utf8")), "SIGKILL");
});
