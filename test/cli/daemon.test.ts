/** `facron --daemon`: the parent returns when the child is ready, and the child lets go of everything. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { check } from "../../ffi/errno.ts";
import { Fd, readNow } from "../../ffi/fd.ts";
import { addressOf, libc } from "../../ffi/libc.ts";
import { needsRoot } from "../helpers/requires.ts";
import { binaryPath, runBinary, type RunOptions } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo, by, expectRefusal, isAlive, linesOf, statusOf } from "./support.ts";

const rootTest = needsRoot("mounts a filesystem");

/** facron -d over DIR/in, with a script that writes its argument into DIR/ran. */
async function daemon(args: readonly string[], options: RunOptions = {}) {
  const dir = tempDir();
  const script = dir.script("run", `echo "$1" >>${dir.join("ran")}`);
  dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script} $#\n`);
  const words = ["-c", dir.join("facron.conf"), ...args];
  const answer = await answerTo(words, { cwd: dir.path, ...options });
  expect(answer).toMatchObject({ code: 0 });
  const pid = daemonOf(dir);
  return { dir, answer, pid };
}

/** The process that stayed: the runner of the binary ends it with the test. */
function daemonOf(dir: TempDir): number {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  const found = pids.filter((pid) => wordsOf(pid).some((word) => word.includes(dir.path)));
  expect(found).toHaveLength(1);
  return Number(found[0]);
}

function wordsOf(pid: string): string[] {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words[0] === binaryPath ? words : [];
  } catch {
    return [];
  }
}

/** It works: the command for a file runs. */
async function expectWorks(dir: TempDir, name: string): Promise<void> {
  dir.write(`in/${name}`);
  await waitFor(() => linesOf(dir.join("ran")).includes(name), { what: `the command for ${name}` });
}

async function end(pid: number): Promise<void> {
  process.kill(pid, "SIGTERM");
  await waitFor(() => !isAlive(pid), { what: "the end of the daemon" });
}

describe("facron", () => {
  for (const option of ["-d", "--daemon", "--background"]) {
    test(`${option} returns with 0 when every watch is set, and works on`, async () => {
      const { dir, pid } = await daemon([option]);
      dir.write("in/at-once"); // the very moment after its return
      await expectWorks(dir, "later");
      // Commands run side by side: the later one may be the first to write.
      await waitFor(() => linesOf(dir.join("ran")).includes("at-once"), { what: "the first file" });
      await end(pid);
    });
  }

  test("-d before -c is the same", async () => {
    const dir = tempDir();
    const file = dir.write("facron.conf", `${dir.path} close_write\n`);
    expect(await answerTo(["-d", "-c", file])).toMatchObject({ code: 0 });
    await end(daemonOf(dir));
  });
});

describe("a daemon", () => {
  test("leads a session of its own without a terminal, in the root directory", async () => {
    const { pid } = await daemon(["-d"]);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [, , group, session, terminal] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    expect({ group, session, terminal }).toEqual({
      group: String(pid),
      session: String(pid),
      terminal: "0",
    });
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe("/");
    await end(pid);
  });

  test("keeps no descriptor of whoever started it", async () => {
    const { pid } = await daemon(["-d"]);
    const open = [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    expect(open).toEqual(["/dev/null", "/dev/null", "/dev/null"]);
    const others = readdirSync(`/proc/${pid}/fd`).map((fd) =>
      readlinkSync(`/proc/${pid}/fd/${fd}`),
    );
    expect(others.filter((target) => /^(pipe|socket):|^\/dev\/pts/.test(target))).toEqual([]);
    await end(pid);
  });

  test("gives its commands the limit of open files that it was started with", async () => {
    const dir = tempDir();
    const script = dir.script("run", `ulimit -S -n >>${dir.join("ran")}`);
    dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script}\n`);
    const start = by(`ulimit -S -n 512; "$0" "$@"; exit $?`);
    expect(await answerTo(["-d", "-c", dir.join("facron.conf")], start)).toMatchObject({ code: 0 });
    dir.write("in/a");
    await waitFor(() => linesOf(dir.join("ran")).length > 0, { what: "the command" });
    expect(linesOf(dir.join("ran"))).toEqual(["512"]);
    await end(daemonOf(dir));
  });

  test("keeps a stdout and a stderr that are files", async () => {
    const { dir, pid } = await daemon(["-d"], by(`exec "$0" "$@" >out 2>err`));
    await expectWorks(dir, "a");
    await waitFor(() => linesOf(dir.join("err")).some((line) => / exited 0 after /.test(line)), {
      what: "the log of the command",
    });
    await end(pid);
    expect(linesOf(dir.join("out")).map((line) => JSON.parse(line).path)).toEqual([
      dir.join("in/a"),
    ]);
    expect(linesOf(dir.join("err"))).toContain("facron: ready");
    expect(linesOf(dir.join("err")).at(-1)).toBe(
      "facron: SIGTERM: reading what is queued, then ending",
    );
  });

  test("closes the pipe of $(facron -d), so that the substitution returns", async () => {
    const { pid, answer } = await daemon([], {
      command: ["/bin/sh", "-c", 'got=$("$0" "$@" -d 2>&1); echo "$? [$got]"', binaryPath],
    });
    expect(answer.stdout).toMatch(/^0 \[facron: watching 1 path [^\n]*\nfacron: ready\]\n$/);
    await end(pid);
  });

  test("survives the end of the terminal in which it was started", async () => {
    const dir = tempDir();
    const script = dir.script("run", `echo "$1" >>${dir.join("ran")}`);
    const file = dir.write("facron.conf", `${dir.mkdir("in")} close_write ${script} $#\n`);
    const start = `${binaryPath} -c ${file} -d; echo started; read line`;
    let screen = "";
    await using shell = Bun.spawn(["/bin/sh", "-c", start], {
      terminal: { data: (_, data) => void (screen += new TextDecoder().decode(data)) },
    });
    await waitFor(() => screen.includes("started"), { what: "the start" });
    const pid = daemonOf(dir);
    shell.terminal!.close();
    await shell.exited;
    await expectWorks(dir, "a");
    await end(pid);
  });

  test("reloads a configuration whose path, programs and watches are relative", async () => {
    const dir = tempDir();
    dir.script("bin/run", `echo "$1" >>${dir.join("ran")}`);
    dir.mkdir("in");
    dir.mkdir("other");
    dir.write("facron.conf", "other close_write bin/run $#\n");
    const options = { cwd: dir.path, ...by(`exec "$0" "$@" 2>err # ${dir.path}`) };
    expect(await answerTo(["-d", "-c", "facron.conf"], options)).toMatchObject({ code: 0 });
    dir.write("other/first");
    await waitFor(() => linesOf(dir.join("ran")).includes("first"), { what: "the first command" });
    dir.write("facron.conf", "in close_write bin/run $#\n");
    const [pid] = pidsWithin(dir);
    process.kill(pid!, "SIGUSR1");
    await waitFor(() => linesOf(dir.join("err")).some((line) => line.includes("reloaded")), {
      what: "the reload",
    });
    await expectWorks(dir, "second");
    await end(pid!);
  });

  test("goes on when whoever started it does not wait for it", async () => {
    const dir = tempDir();
    const script = `
      mkfifo pipe; exec 3<>pipe
      "$0" -d -c /dev/stdin <pipe 3>&- 2>err & echo $! >parent
      exec sleep 1000`;
    const starter = runBinary([], { cwd: dir.path, ...by(script) });
    await waitFor(() => linesOf(dir.join("parent")).length === 1, { what: "the start" });
    const parent = Number(linesOf(dir.join("parent"))[0]);
    await waitFor(() => childWith("__daemon", parent), { what: "the process that stays" });
    const pid = childWith("__daemon", parent)!;
    process.kill(parent, "SIGKILL");
    await waitFor(() => !isAlive(parent), { what: "the end of its parent" });
    const command = dir.script("run", `echo "$1" >>${dir.join("ran")}`);
    writeFileSync(dir.join("pipe"), `${dir.mkdir("in")} close_write ${command} $#\n`);
    starter.signal("SIGKILL"); // the last who could write into the pipe
    await waitFor(() => linesOf(dir.join("err")).includes("facron: ready"), { what: "ready" });
    await expectWorks(dir, "a");
    expect(linesOf(dir.join("err")).filter((line) => !line.startsWith("facron: "))).toEqual([]);
    await end(pid);
  });
});

/** Daemons whose log is in a directory. */
function pidsWithin(dir: TempDir): number[] {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return pids.filter((pid) => linkOf(`/proc/${pid}/fd/2`).startsWith(dir.path)).map(Number);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function childWith(word: string, parent: number): number | null {
  const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  const found = pids.filter((pid) => wordsOf(pid).includes(word)).map(Number);
  return found.find((pid) => statusOf(pid)?.["PPid"] === String(parent)) ?? null;
}

describe("whoever starts a daemon sees", () => {
  test("a mistake in the configuration, with exit 2", async () => {
    const dir = tempDir();
    const file = dir.write("facron.conf", "/tmp FAN_MODFIY /bin/true\n");
    const { stderr, stdout, code } = await answerTo(["-d", "-c", file]);
    expect(stderr).toMatch(/facron\.conf:1:6: Unknown event "FAN_MODFIY"/);
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  });

  test("a configuration that is missing, with exit 2", async () => {
    expectRefusal(await answerTo(["-d", "-c", tempDir().join("no")]), /no such file/);
  });

  test("a mistake on the command line, with exit 2", async () => {
    expectRefusal(await answerTo(["-d", "--bogus"]), /Unknown option "--bogus"/);
  });

  test("that nothing can be watched, with exit 1", async () => {
    const dir = tempDir();
    const file = dir.write("facron.conf", `/${"x".repeat(300)} close_write\n`);
    const { stderr, stdout, code } = await answerTo(["-d", "-c", file]);
    expect(stderr).toMatch(/^facron: error: None of the configured paths can be watched$/m);
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
  });
});

rootTest("the log of a daemon without a file for it goes to syslog", async () => {
  const dir = tempDir();
  using syslog = openSyslogSocket(dir.join("log"));
  // /dev/log for this one alone: a /dev of its own, with what it needs of the real one.
  const script = `
    set -e
    dev=${dir.mkdir("dev")}
    for name in null zero full random urandom tty; do
      touch $dev/$name; mount --bind /dev/$name $dev/$name
    done
    mkdir $dev/shm; mount --rbind /dev/shm $dev/shm
    ln -s ${dir.join("log")} $dev/log
    mount --rbind $dev /dev
    exec "$0" "$@"`;
  const { command } = by(script);
  const table = `${dir.mkdir("in")} close_write /bin/false\n`;
  const args = ["-d", "-c", dir.write("facron.conf", table)];
  const options = { command: ["unshare", "--mount", "--propagation=private", ...command] };
  expect(await answerTo(args, options)).toMatchObject({ code: 0 });
  const pid = daemonOf(dir);
  dir.write("in/a");
  const message = await waitFor(() => receive(syslog), { what: "a message" });
  const warning = 3 * 8 + 4; // LOG_DAEMON, LOG_WARNING
  expect(message).toMatch(
    new RegExp(
      `^<${warning}>.* facron\\[${pid}\\]: rule "facron\\.conf:1": "/bin/false" exited 1 after`,
    ),
  );
  await end(pid);
});

/** A datagram socket, as a syslog daemon has it. */
function openSyslogSocket(path: string): Fd {
  const numbers = process.arch === "arm64" ? { socket: 198, bind: 200 } : { socket: 41, bind: 49 };
  const [AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK] = [1, 2, 0o4000];
  const kind = SOCK_DGRAM | SOCK_NONBLOCK;
  const fd = check(libc.syscall(numbers.socket, AF_UNIX, kind as never, 0, 0, null), "socket");
  const address = new Uint8Array([AF_UNIX, 0, ...cString(utf8(path))]);
  const at = addressOf(address) as never;
  check(libc.syscall(numbers.bind, fd, at, address.length, 0, null), "bind");
  return new Fd(fd);
}

function receive(socket: Fd): string | null {
  const buffer = new Uint8Array(4096);
  const length = readNow(socket.number, buffer);
  return length > 0 ? new TextDecoder().decode(buffer.subarray(0, length)) : null;
}
