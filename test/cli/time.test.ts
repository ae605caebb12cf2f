/** What takes seconds by its nature; all of it runs at the same time, from the loading of this file. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { openPipe } from "../helpers/pipe.ts";
import { isRoot } from "../helpers/requires.ts";
import { binaryPath, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { isAlive, linesOf, statusOf, writeFiles } from "./support.ts";

/** Mounts of others wake the reader, as they should: facron gets a mount namespace where there are none. */
const undisturbed = isRoot() ? ["unshare", "--mount", "--propagation=private"] : [];

const idle = begun(idleFor10Seconds);
const stubborn = begun(stopWithStubbornCommands);
const unread = begun(stopWithFullPipe);

/** A failure is the test's that awaits it, and not an unhandled rejection before. */
function begun<T>(start: () => Promise<T>): Promise<T> {
  const promise = start();
  promise.catch(() => {});
  return promise;
}

interface Idled {
  readonly ticks: number;
  readonly main: number;
  readonly reader: number;
}

/** What facron, which has worked before, uses in 10 s without an event: a bystander's load does not count. */
async function idleFor10Seconds(): Promise<Idled> {
  const dir = tempDir();
  const table = [1, 2, 3].map((name) => `${dir.mkdir(`${name}`)} close_write /bin/true\n`);
  const args = ["-c", dir.write("facron.conf", table.join(""))];
  const facron = await runBinary(args, { command: [...undisturbed, binaryPath] }).ready();
  for (const name of [1, 2, 3]) dir.write(`${name}/a`);
  await waitFor(() => facron.log.match(/exited 0/g)?.length === 3, { what: "three commands" });
  const { pid } = facron;
  const reader = threadNamed(pid, "Worker");
  // What comes after the work (compiling, collecting, a last look for processes of commands) is over.
  await Bun.sleep(15_000);
  const before = usedBy(pid, reader);
  await Bun.sleep(10_000);
  const after = usedBy(pid, reader);
  await facron.stop();
  return {
    ticks: after.ticks - before.ticks,
    main: after.main - before.main,
    reader: after.reader - before.reader,
  };
}

test("facron that has nothing to do uses no CPU", async () => {
  expect((await idle).ticks).toBeLessThanOrEqual(3); // of 10 ms
});

test("the reader thread that has nothing to read does not wake up", async () => {
  expect((await idle).reader).toBeLessThanOrEqual(2); // measured: 0
});

// Measured: 0 to 2. Bun's collector makes 40 and more on 4 cores when it is not kept from collecting
// every second (src/environment.ts), a timer of ours every 100 ms would make 100.
test("the main thread that has nothing to do has no timer running", async () => {
  expect((await idle).main).toBeLessThan(20);
});

function threadNamed(pid: number, name: string): number {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  const found = threads.filter((thread) => statusOf(pid, thread)?.["Name"] === name);
  expect(found).toHaveLength(1);
  return found[0]!;
}

function usedBy(pid: number, reader: number): Idled {
  return { ticks: ticksOf(pid), main: wakeUpsOf(pid, pid), reader: wakeUpsOf(pid, reader) };
}

/** utime + stime of all threads, in ticks of 10 ms (proc_pid_stat(5), fields 14 and 15). */
function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** How often the thread went to sleep, that is: was woken before. */
function wakeUpsOf(pid: number, thread: number): number {
  return Number(statusOf(pid, thread)!["voluntary_ctxt_switches"]);
}

async function stopWithStubbornCommands() {
  const dir = tempDir();
  const body = `trap '' TERM; echo $$ >>${dir.join("pids")}; while :; do sleep 1; done`;
  const table = `${dir.mkdir("in")} close_write ${dir.script("run", body)}\n`;
  const args = ["-c", dir.write("facron.conf", table), "--max-running", "2"];
  const facron = await runBinary(args).ready();
  writeFiles(dir.join("in"), 6);
  const pids = () => linesOf(dir.join("pids")).map(Number);
  await waitFor(() => pids().length === 2, { what: "two commands" });
  const start = performance.now();
  const exit = await facron.stop("SIGTERM", 30_000);
  const seconds = (performance.now() - start) / 1000;
  return { exit, seconds, alive: pids().filter(isAlive), log: facron.log, lines: facron.lines };
}

test("SIGTERM gives commands 10 s, sends them SIGTERM, and SIGKILL 5 s later", async () => {
  const { exit, seconds, alive, log } = await stubborn;
  expect(exit).toEqual({ code: 0, signal: null });
  expect(seconds).toBeWithin(14.5, 20);
  expect(alive).toEqual([]);
  const stopping = log.split("\n").filter((line) => line.includes("Stopping: "));
  expect(stopping).toEqual([
    "facron: warning: Stopping: 4 commands waiting, abandoned",
    "facron: warning: Stopping: 2 commands still running, sent SIGTERM",
    "facron: warning: Stopping: 2 commands still running, sent SIGKILL",
  ]);
});

async function stopWithFullPipe() {
  const dir = tempDir();
  const pipe = openPipe();
  const args = ["watch", "-e", "close_write", dir.path];
  const facron = await runBinary(args, { stdout: pipe.write.number }).ready();
  pipe.write.close();
  writeFiles(dir.path, 10_000, "a-name-that-makes-lines-which-fill-a-pipe-".repeat(4));
  const start = performance.now();
  const exit = await facron.stop("SIGTERM", 30_000);
  return { exit, seconds: (performance.now() - start) / 1000, log: facron.log };
}

test("SIGTERM gives a reader of stdout 10 s, and says how many lines it did not take", async () => {
  const { exit, seconds, log } = await unread;
  expect(exit).toEqual({ code: 0, signal: null });
  expect(seconds).toBeWithin(9.5, 15);
  expect(log).toMatch(/^facron: warning: Lines lost: \d+, as stdout was not read in time$/m);
});
