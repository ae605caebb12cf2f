import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fromLatin1, latin1, utf8 } from "../../ffi/bytes.ts";
import { fileLimitOf, setSoftLimit } from "../../ffi/limits.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { runToEnd, startErrorOf } from "./support.ts";

/** A last word that may tempt somebody to decode it; the commands below ignore it. */
const lastWords: [kind: string, word: Uint8Array][] = [
  ["text", utf8("caf\u00e9 \ufffd \ufeff \u{1f600}")],
  ["bytes that are not UTF-8", fromLatin1("\xff\xfe")],
];

/** Words as latin1 text: one char for one byte. */
const words = (...texts: string[]): Uint8Array[] => texts.map(fromLatin1);

describe.each(lastWords)("a command with %s among its words", (_kind, lastWord) => {
  /** A shell that becomes `script`'s last command if that begins with exec. */
  function sh(script: string, output: string) {
    return runToEnd([...words("/bin/sh", "-c", script, "sh"), lastWord], output);
  }

  test("gets its words byte for byte, and no shell looks at them", async () => {
    using dir = tempDir();
    const seen = dir.join("seen");
    const program = dir.script("show", `cat /proc/$$/cmdline > ${seen}`);
    const argv = ["two words", `'"\\`, "line\nbreak", "", "$(touch pwned)", "*", "-n", "\x01\x7f"];
    const { ending } = await runToEnd([...words(program, ...argv), lastWord], dir.join("out"));
    expect(ending).toEqual({ kind: "exited", code: 0 });
    const [interpreter, ...rest] = readFileSync(seen, "latin1").split("\0");
    expect(interpreter).toBe("/bin/sh");
    expect(rest).toEqual([program, ...argv, latin1(lastWord), ""]);
    expect(existsSync("pwned")).toBe(false);
  });

  test("may have a program whose own name is not UTF-8", async () => {
    using dir = tempDir();
    const program = Buffer.concat([utf8(`${dir.path}/p`), lastWord]);
    writeFileSync(program, "#!/bin/sh\nexit 42\n", { mode: 0o755 });
    const { ending } = await runToEnd([program], dir.join("out"));
    expect(ending).toEqual({ kind: "exited", code: 42 });
  });

  test("has /dev/null as stdin, facron's stderr twice, and no other descriptor", async () => {
    using dir = tempDir();
    const { output } = await sh("exec ls -l /proc/self/fd", dir.join("out"));
    const links = output
      .match(/\d+ -> .*/g)!
      .map((link) => link.replace(/\/proc\/\d+/, "/proc/PID"));
    expect(links).toEqual([
      "0 -> /dev/null",
      `1 -> ${dir.join("out")}`,
      `2 -> ${dir.join("out")}`,
      "3 -> /proc/PID/fd", // ls reads it
    ]);
  });

  test("leads a process group, with the pid that spawnCommand gave", async () => {
    using dir = tempDir();
    const { pid, output } = await sh("exec cat /proc/self/stat", dir.join("out"));
    const [ownPid, , , parent, group] = output.split(" ").map(Number);
    expect([ownPid, group]).toEqual([pid, pid]);
    expect(parent).toBe(process.pid);
  });

  test("has every signal at its default and none blocked", async () => {
    using dir = tempDir();
    const { output } = await sh("exec grep -E 'Sig(Blk|Ign)' /proc/self/status", dir.join("out"));
    expect(output).toBe("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  });

  test("inherits facron's soft limit of open files", async () => {
    using dir = tempDir();
    const { soft } = fileLimitOf(0)!;
    setSoftLimit(500);
    try {
      const { output } = await sh("ulimit -S -n", dir.join("out"));
      expect(output).toBe("500\n");
    } finally {
      setSoftLimit(soft);
    }
  });

  test("inherits everything else that /proc/self/status and limits show", async () => {
    using dir = tempDir();
    const script = "exec cat /proc/self/limits /proc/self/oom_score_adj /proc/self/timerslack_ns";
    const { output } = await sh(script, dir.join("out"));
    const plain = Bun.spawnSync(["/bin/sh", "-c", script]).stdout.toString();
    expect(output).toBe(plain);
  });

  test("says how it ended", async () => {
    using dir = tempDir();
    const endings = [];
    for (const script of ["exit 0", "exit 7", "exit 127", "kill -KILL $$", "kill -34 $$"]) {
      endings.push((await sh(script, dir.join("out"))).ending);
    }
    expect(endings).toEqual([
      { kind: "exited", code: 0 },
      { kind: "exited", code: 7 },
      { kind: "exited", code: 127 },
      { kind: "killed", signal: "SIGKILL" },
      { kind: "killed", signal: "signal 34" },
    ]);
  });

  test("is looked for where facron was started if its path is relative, and never by PATH", async () => {
    using dir = tempDir();
    dir.script("bin/own", "pwd");
    const out = dir.join("out");
    const bare = await runToEnd([utf8("own"), lastWord], out, dir.join("bin"));
    expect(bare.output).toBe(`${process.cwd()}\n`);
    const relative = await runToEnd([utf8("bin/own"), lastWord], out, dir.path);
    expect(relative.ending).toEqual({ kind: "exited", code: 0 });
    expect(await startErrorOf([utf8("true"), lastWord], out)).toBe(
      `Cannot start "true": no such file in "${process.cwd()}": PATH is not searched, write the whole path`,
    );
  });

  test("sees its name as it was written", async () => {
    using dir = tempDir();
    const argv = [utf8("cat"), utf8("/proc/self/cmdline"), lastWord];
    const { output } = await runToEnd(argv, dir.join("out"), "/bin");
    expect(output).toStartWith("cat\0/proc/self/cmdline\0");
  });

  test("leaves no descriptor open in facron and no zombie", async () => {
    using dir = tempDir();
    await sh("exit 0", dir.join("out"));
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 5; i++) await sh("exit 1", dir.join("out"));
    for (let i = 0; i < 5; i++) await startErrorOf([utf8("/no/such"), lastWord], dir.join("out"));
    expect(readdirSync("/proc/self/fd").length).toBe(before);
    expect(zombies()).toEqual([]);
  });
});

/** Children of this process that have ended and that nobody has waited for. */
function zombies(): string[] {
  const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return children.filter((pid) => {
    const stat = statOf(pid);
    return stat !== null && stat[0] === "Z" && Number(stat[1]) === process.pid;
  });
}

/** State, parent and so on: what follows the name in /proc/PID/stat. */
function statOf(pid: string): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return null; // gone meanwhile
  }
}
