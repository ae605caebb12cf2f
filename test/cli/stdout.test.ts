/** Every kind of stdout, stderr and stdin that a shell can give to facron. */
import { describe, expect, test } from "bun:test";
import { readFileSync, readlinkSync } from "node:fs";
import { O, openFd, writeNow } from "../../ffi/fd.ts";
import { cPath } from "../helpers/c-path.ts";
import { collectLines } from "../helpers/lines.ts";
import { mountTmpfs } from "../helpers/mount.ts";
import { openPipe } from "../helpers/pipe.ts";
import { needsRoot } from "../helpers/requires.ts";
import { binaryPath, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { by, expectNoGap, linesOf, stopped, writeFiles } from "./support.ts";

const rootTest = needsRoot("mounts a filesystem");

/** facron by a shell script, over an empty directory, running a command for each file closed in it. */
function start(script: string, { shell = "/bin/bash" } = {}) {
  const dir = tempDir();
  const command = dir.script("seen", `echo "$1" >>${dir.join("commands")}`);
  const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${command} $#\n`);
  const facron = runBinary(["-c", file], { ...by(script, shell), cwd: dir.path });
  return { dir, facron };
}

function commandsOf(dir: TempDir): string[] {
  return linesOf(dir.join("commands"));
}

function commandFor(dir: TempDir, name: string): Promise<boolean> {
  return waitFor(() => commandsOf(dir).includes(name), { what: `the command for ${name}` });
}

describe("a reader that goes away ends facron with exit 0", () => {
  const facronsExit = "exit ${PIPESTATUS[0]}";

  test("| head -1, without a later event", async () => {
    const { dir, facron } = start(`"$0" "$@" | head -1; ${facronsExit}`);
    await facron.ready();
    dir.write("in/a");
    expect(await facron.exit(5000)).toEqual({ code: 0, signal: null });
    expect(facron.events).toMatchObject([{ path: dir.join("in/a") }]);
    expect(facron.log).toMatch(/^facron: Nobody reads stdout any more: ending$/m);
  });

  test("| head -1, with many events at once", async () => {
    const { dir, facron } = start(`"$0" "$@" | head -1; ${facronsExit}`);
    await facron.ready();
    writeFiles(dir.join("in"), 200);
    expect(await facron.exit(5000)).toEqual({ code: 0, signal: null });
    expect(facron.events).toHaveLength(1);
  });

  test("a reader that never read", async () => {
    const { facron } = start(`"$0" "$@" | true; ${facronsExit}`);
    expect(await facron.exit(5000)).toEqual({ code: 0, signal: null });
  });

  test("a pipe that is closed while events wait", async () => {
    const dir = tempDir();
    const pipe = openPipe();
    const facron = runBinary(["watch", dir.path], { stdout: pipe.write.number });
    pipe.write.close();
    await facron.ready();
    await stopped(facron);
    writeFiles(dir.path, 1000);
    pipe.read.close();
    facron.signal("SIGCONT");
    expect(await facron.exit(5000)).toEqual({ code: 0, signal: null });
  });

  test("a full pipe that is closed without having been read", async () => {
    const dir = tempDir();
    const pipe = openPipe();
    const facron = runBinary(["watch", dir.path], { stdout: pipe.write.number });
    pipe.write.close();
    await facron.ready();
    writeFiles(dir.path, 5000); // more lines than the 1 MiB that a pipe takes
    pipe.read.close();
    expect(await facron.exit(5000)).toEqual({ code: 0, signal: null });
  });
});

describe("facron goes on, and runs commands,", () => {
  for (const [claim, redirection] of [
    ["with stdout closed", ">&-"],
    ["with stderr closed", "2>&-"],
    ["with stdin closed", "<&-"],
    ["with all three closed", "<&- >&- 2>&-"],
    ["with stdout at /dev/null", ">/dev/null"],
  ]) {
    test(claim!, async () => {
      const { dir, facron } = start(`exec "$0" "$@" ${redirection}`);
      let tries = 0;
      // Not every one of them can say that it is ready.
      await waitFor(() => commandsOf(dir).length > 0 || void dir.write(`in/${tries++}`), {
        what: "the first command",
      });
      dir.write("in/last");
      await commandFor(dir, "last");
      expect(await facron.stop()).toEqual({ code: 0, signal: null });
      expect(facron.lines.every((line) => line.startsWith('{"v":1,'))).toBe(true);
    });
  }

  test("with stdout at /dev/full, and says how many lines are lost", async () => {
    const { dir, facron } = start(`exec "$0" "$@" >/dev/full`);
    await facron.ready();
    dir.write("in/a");
    await facron.waitForLog(
      /^facron: error: Cannot write to stdout: .*no space left.*; lines lost: 1$/im,
    );
    await commandFor(dir, "a");
    expect(await facron.stop()).toEqual({ code: 0, signal: null });
  });

  rootTest(
    "with stdout on a full disk, counts what is lost, and starts anew when there is room",
    async () => {
      const { dir, facron } = start(`until [ -e go ]; do :; done; exec "$0" "$@" >disk/log`);
      mountTmpfs(dir.join("disk"), "size=64k");
      dir.write("disk/filler", new Uint8Array(48 * 1024));
      dir.write("go");
      await facron.ready();
      writeFiles(dir.join("in"), 500, "a-name-that-fills-the-disk-");
      await facron.waitForLog(/Cannot write to stdout/);
      await waitFor(() => commandsOf(dir).length === 500, { what: "all commands" });
      Bun.spawnSync(["rm", dir.join("disk/filler")]);
      dir.write("in/later");
      await waitFor(() => readFileSync(dir.join("disk/log"), "utf8").includes("/later"), {
        what: "the line of a later event",
      });
      await facron.stop();
      const lines = linesOf(dir.join("disk/log"));
      expect(lines.filter((line) => !isJson(line)).length).toBeLessThanOrEqual(1); // where it was full
      const lost = [...facron.log.matchAll(/; lines lost: (\d+)$/gm)];
      const lostLines = lost.reduce((sum, [, count]) => sum + Number(count), 0);
      expect(lines.filter(isJson).length + lostLines).toBe(501);
    },
  );
});

function isJson(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object";
  } catch {
    return false;
  }
}

describe("stdout may be", () => {
  test("a file", async () => {
    const { dir, facron } = start(`exec "$0" "$@" >log`);
    await facron.ready();
    writeFiles(dir.join("in"), 100);
    await waitFor(() => commandsOf(dir).length === 100, { what: "all commands" });
    await facron.stop();
    expect(linesOf(dir.join("log")).map((line) => JSON.parse(line).seq)).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
  });

  test("a file with something in it already, by >>", async () => {
    const { dir, facron } = start(`echo before >log; exec "$0" "$@" >>log`);
    await facron.ready();
    dir.write("in/a");
    await commandFor(dir, "a");
    await facron.stop();
    expect(linesOf(dir.join("log"))).toEqual(["before", expect.stringContaining("/in/a")]);
  });

  test("a file that is truncated by somebody else, by >>", async () => {
    const { dir, facron } = start(`exec "$0" "$@" >>log`);
    await facron.ready();
    dir.write("in/a");
    await commandFor(dir, "a");
    dir.write("log", "");
    dir.write("in/b");
    await commandFor(dir, "b");
    await facron.stop();
    expect(linesOf(dir.join("log"))).toEqual([expect.stringMatching(/^\{"v":1.*\/in\/b"/)]);
  });

  test("one file with stderr, where no line is cut by another", async () => {
    const { dir, facron } = start(`exec "$0" "$@" >log 2>&1`);
    await waitFor(() => linesOf(dir.join("log")).includes("facron: ready"), { what: "ready" });
    writeFiles(dir.join("in"), 300);
    await waitFor(() => commandsOf(dir).length === 300, { what: "all commands" });
    await facron.stop();
    const lines = linesOf(dir.join("log"));
    const strange = lines.filter((line) => !line.startsWith("facron: ") && !isJson(line));
    expect(strange).toEqual([]);
    expect(lines.filter(isJson)).toHaveLength(300);
  });

  test("one pipe with stderr, whose flags stay as they were", async () => {
    const { dir, facron } = start(`"$0" "$@" 2>&1 | cat; exit \${PIPESTATUS[0]}`);
    await waitFor(() => facron.lines.includes("facron: ready"), { what: "ready" });
    writeFiles(dir.join("in"), 300);
    await waitFor(() => commandsOf(dir).length === 300, { what: "all commands" });
    const strange = facron.lines.filter((line) => !line.startsWith("facron: ") && !isJson(line));
    expect(strange).toEqual([]);
  });

  test("a pipe that others share: it does not become nonblocking for them", async () => {
    const dir = tempDir();
    const pipe = openPipe();
    const end = pipe.write.number;
    const facron = runBinary(["watch", "-e", "create", dir.path], { stdout: end });
    await facron.ready();
    dir.write("a");
    await waitFor(() => waitingIn(pipe.read.number) > 0, { what: "a line" });
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${end}`, "utf8"))![1]!;
    expect(Number.parseInt(flags, 8) & 0o4000).toBe(0);
  });

  test("a socket", async () => {
    const received: string[] = [];
    const server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (_socket, data) => void received.push(data.toString()) },
    });
    const { dir, facron } = start(`exec "$0" "$@" >/dev/tcp/127.0.0.1/${server.port}`);
    await facron.ready();
    expect(readlinkSync(`/proc/${facron.pid}/fd/1`)).toStartWith("socket:");
    writeFiles(dir.join("in"), 300);
    const lines = () => received.join("").split("\n").slice(0, -1);
    await waitFor(() => lines().length === 300, { what: "300 lines" });
    expect(lines().every(isJson)).toBe(true);
    server.stop(true);
    dir.write("in/later"); // TCP: only who writes learns that nobody reads
    expect(await facron.exit(5000)).toEqual({ code: 0, signal: null });
  });

  test("a terminal, and closing it ends facron", async () => {
    const dir = tempDir();
    const received: string[] = [];
    await using process = Bun.spawn([binaryPath, "watch", "-e", "create", dir.path], {
      terminal: { data: (_terminal, data) => void received.push(new TextDecoder().decode(data)) },
    });
    const screen = () => received.join("").split("\r\n");
    await waitFor(() => screen().includes("facron: ready"), { what: "ready" });
    writeFiles(dir.path, 200);
    await waitFor(() => screen().filter(isJson).length === 200, { what: "200 lines" });
    process.terminal!.close();
    await waitFor(() => process.exitCode !== null || process.signalCode !== null, {
      what: "the end of facron",
    });
  });
});

function waitingIn(pipe: number): number {
  return Bun.spawnSync(["/bin/bash", "-c", "read -t 0 && echo 1"], { stdin: pipe }).stdout.length;
}

describe("a slow reader of stdout", () => {
  const count = 20_000; // more than the kernel queues

  async function flooded(): Promise<{ facron: RunningBinary; pipe: ReturnType<typeof openPipe> }> {
    const dir = tempDir();
    const pipe = openPipe();
    const args = ["watch", "-e", "close_write", dir.path];
    const facron = await runBinary(args, { stdout: pipe.write.number }).ready();
    pipe.write.close();
    writeFiles(dir.path, count);
    return { facron, pipe };
  }

  test("gets every line once it reads on", async () => {
    const { facron, pipe } = await flooded();
    await using reader = Bun.spawn(["cat"], { stdin: pipe.read.number, stdout: "pipe" });
    pipe.read.close();
    const got = collectLines(reader.stdout, { strict: true });
    await waitFor(() => got.lines.length === count, {
      what: `${count} lines`,
      state: () => `${got.lines.length} lines, ${facron.log}`,
    });
    const firstWrong = got.lines.findIndex((line, index) => JSON.parse(line).seq !== index + 1);
    expect(firstWrong).toBe(-1);
    expect(facron.log).not.toContain("lost");
  });

  test("gets every line when SIGTERM comes before it reads on", async () => {
    const { facron, pipe } = await flooded();
    facron.signal("SIGTERM");
    await facron.waitForLog(/SIGTERM: reading/);
    await using reader = Bun.spawn(["cat"], { stdin: pipe.read.number, stdout: "pipe" });
    pipe.read.close();
    const got = collectLines(reader.stdout, { strict: true });
    expect(await facron.exit()).toEqual({ code: 0, signal: null });
    await waitFor(() => got.ended, { what: "the end of the pipe" });
    expect({ lines: got.lines.length, rest: got.rest }).toEqual({ lines: count, rest: "" });
  });
});

test("a full stderr that nobody reads does not keep facron from ending", async () => {
  const dir = tempDir();
  const pipe = openPipe();
  const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write\n`);
  const facron = runBinary(["-c", file], { stderr: pipe.write.number });
  let tries = 0;
  await waitFor(() => facron.lines.length > 0 || void dir.write(`in/${tries++}`), {
    what: "the first line",
  });
  fill(pipe.write.number);
  dir.write("facron.conf", "nonsense\n");
  facron.signal("SIGUSR1"); // its answer is a line of the log
  dir.write("in/last");
  await facron.waitForEvent("the last", ({ path }) => path === dir.join("in/last"));
  expect(await facron.stop("SIGTERM", 5000)).toEqual({ code: 0, signal: null });
  expectNoGap(facron);
});

/** Through a description of our own: what the other one shares has to stay as it is. */
function fill(pipe: number): void {
  using end = openFd(cPath(`/proc/self/fd/${pipe}`), O.WRONLY | O.NONBLOCK);
  const page = new Uint8Array(4096);
  while (writeNow(end.number, page) > 0);
}
