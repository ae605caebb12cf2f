/** Starting processes and taking their status, on the real kernel. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { keepOnExec, O, openFd } from "../../ffi/fd.ts";
import {
  closeInChildren,
  leaveToChildren,
  posixSpawn,
  reapAny,
  type SpawnPlace,
  StringVector,
  waitNow,
} from "../../ffi/process.ts";
import { cPath } from "../helpers/c-path.ts";
import { tempDir, type TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

function vector(...strings: readonly (string | Uint8Array)[]): StringVector {
  const bytes = strings.map((one) => (typeof one === "string" ? utf8(one) : one));
  return new StringVector().set(bytes);
}

/** In our directory, with /dev/null. */
function to(outputFd: number, more: Partial<SpawnPlace> = {}): SpawnPlace {
  return { stdinFd: null, outputFd, cwd: null, isSession: false, ...more };
}

let outputs = 0;

/** Run a program to its end with its output in a file. @returns how it ended and what it wrote */
async function run(
  dir: TempDir,
  argv: readonly (string | Uint8Array)[],
  environment: readonly (string | Uint8Array)[] = [],
) {
  const file = dir.write(`output-${outputs++}`);
  using output = openFd(cPath(file), O.WRONLY);
  const program = typeof argv[0] === "string" ? utf8(argv[0]) : argv[0]!;
  const pid = posixSpawn(program, vector(...argv), vector(...environment), to(output.number));
  const status = await waitFor(() => waitNow(pid), { what: `the end of ${pid}` });
  return { pid, status, output: readFileSync(file) };
}

describe("posixSpawn", () => {
  test("passes arguments and environment byte for byte", async () => {
    using dir = tempDir();
    const odd = Uint8Array.from({ length: 255 }, (_, index) => index + 1); // every byte but NUL
    const script = dir.script("show", `printf '%s\\0' "$@" "$ODD"`);
    const environment = [Buffer.concat([utf8("ODD="), odd])];
    const { status, output } = await run(dir, [script, odd, "", "a b"], environment);
    expect(status).toEqual({ kind: "exited", code: 0 });
    expect(output).toEqual(Buffer.concat([odd, utf8("\0\0a b\0"), odd, utf8("\0")]));
  });

  test("runs a program whose own path is not UTF-8", async () => {
    using dir = tempDir();
    const script = dir.script("script", "echo ran");
    const path = Buffer.concat([utf8(`${dir.path}/`), Uint8Array.of(0xff)]);
    Bun.spawnSync(["sh", "-c", `mv "$1" "$2/$(printf '\\377')"`, "sh", script, dir.path]);
    expect((await run(dir, [path])).output.toString()).toBe("ran\n");
  });

  test("gives it /dev/null, its output and a process group of its own", async () => {
    using dir = tempDir();
    const script = dir.script("show", `readlink /proc/self/fd/0; echo err >&2; ps -o pgid= -p $$`);
    const { pid, output } = await run(dir, [script], ["PATH=/usr/bin:/bin"]);
    expect(output.toString().split(/\s+/).slice(0, -1)).toEqual(["/dev/null", "err", `${pid}`]);
  });

  test("leaves it no other descriptor, and no signal blocked or ignored", async () => {
    using dir = tempDir();
    using _ours = openFd(cPath("/dev/zero"), O.RDONLY);
    const { output } = await run(dir, ["/bin/cat", "/proc/self/status"]);
    const bits = (name: string) =>
      new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(output.toString())![1];
    expect([bits("SigBlk"), bits("SigIgn")]).toEqual(["0000000000000000", "0000000000000000"]);
    const listed = await run(dir, ["/bin/ls", "/proc/self/fd"]);
    expect(listed.output.toString()).toBe("0\n1\n2\n3\n"); // 3 is the directory that ls reads
  });

  test("closes before execve what it is told to, and leaves it again", async () => {
    using dir = tempDir();
    using ours = openFd(cPath("/dev/zero"), O.RDONLY);
    keepOnExec(ours.number);
    const listed = async () => {
      const { output } = await run(dir, ["/bin/ls", "-l", "/proc/self/fd"]);
      return output.toString().includes("/dev/zero");
    };
    expect(await listed()).toBe(true);
    closeInChildren(ours.number);
    expect(await listed()).toBe(false);
    leaveToChildren(ours.number);
    expect(await listed()).toBe(true);
  });

  test("starts programs also if what they are to close is closed already", async () => {
    using dir = tempDir();
    const neverOpen = 900;
    closeInChildren(neverOpen);
    const { status } = await run(dir, ["/bin/true"]);
    leaveToChildren(neverOpen);
    expect(status).toEqual({ kind: "exited", code: 0 });
  });

  test("tells exit codes and signals apart", async () => {
    using dir = tempDir();
    const exits = await run(dir, ["/bin/sh", "-c", "exit 143"]);
    expect(exits.status).toEqual({ kind: "exited", code: 143 });
    const killed = await run(dir, ["/bin/sh", "-c", "kill -TERM $$"]);
    expect(killed.status).toEqual({ kind: "killed", signal: 15 });
  });

  test("throws what kept the program from starting", () => {
    using dir = tempDir();
    const start = (path: string) => {
      try {
        posixSpawn(utf8(path), vector(path), vector(), to(2));
      } catch (error) {
        return error instanceof SyscallError ? error.code : "another error";
      }
      return "none";
    };
    expect(start(dir.join("none"))).toBe("ENOENT");
    expect(start(dir.write("not-executable"))).toBe("EACCES");
    expect(start(dir.write("no-format", "?", { mode: 0o755 }))).toBe("ENOEXEC");
    expect(start(dir.path)).toBe("EACCES");
  });
});

describe("waitNow", () => {
  test("is null while it runs, and unknown when somebody took the status", async () => {
    const pid = posixSpawn(utf8("/bin/sleep"), vector("sleep", "100"), vector(), to(2));
    expect(waitNow(pid)).toBe(null);
    process.kill(pid, "SIGKILL");
    await waitFor(() => waitNow(pid), { what: "its end" });
    expect(waitNow(pid)).toEqual({ kind: "unknown" });
  });

  test("reapAny takes one that has ended, and says when there is none", async () => {
    posixSpawn(utf8("/bin/true"), vector("true"), vector(), to(2));
    await waitFor(() => reapAny(), { what: "the end of true" });
    expect(reapAny()).toBe(false);
  });
});

describe("StringVector", () => {
  test("grows with its strings, and shrinks to fewer", async () => {
    using dir = tempDir();
    const many = Array.from({ length: 500 }, (_, i) => `${i}-${"x".repeat(i)}`);
    const strings = new StringVector();
    for (const words of [["short"], many, ["one", "two"]]) {
      strings.set(["/bin/echo", ...words].map(utf8));
      const file = dir.write(`output-${words.length}`);
      using output = openFd(cPath(file), O.WRONLY);
      const pid = posixSpawn(utf8("/bin/echo"), strings, vector(), to(output.number));
      await waitFor(() => waitNow(pid), { what: "echo" });
      expect(readFileSync(file, "utf8")).toBe(`${words.join(" ")}\n`);
    }
  });
});
