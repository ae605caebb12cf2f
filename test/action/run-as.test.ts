/** Commands as another user, by way of the helper; run from the sources (test/cli/run-as.test.ts: the binary). */
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { forgetAccounts } from "../../src/action/account.ts";
import type { Ending } from "../../src/action/ending.ts";
import { resetSignals } from "../../src/action/limits.ts";
import { spawnCommand } from "../../src/action/spawn.ts";
import type { RunAs } from "../../src/rule/rule.ts";
import { addAccount, leaveGroup, needsAccounts } from "../helpers/account.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { closeOthersOnExec, plainStart, testOutputLog } from "./support.ts";

const alice = addAccount({ groups: 3 });
const bob = addAccount({ groups: 1 });
const main = join(import.meta.dir, "../../src/main.ts");
const self = [process.execPath, main];

interface Ran {
  /** Null: it was not started. */
  readonly ending: Exclude<Ending, { kind: "not-started" }> | null;
  /** Why it was not. */
  readonly error: string | null;
  readonly output: string;
}

interface Options {
  readonly user?: string | null;
  readonly clearsEnvironment?: boolean;
  readonly place?: Uint8Array;
  readonly variables?: readonly Uint8Array[];
  readonly self?: readonly string[];
}

/** Run words as a user, wait for the end. A place asks for the access to it. */
async function runAs(argv: readonly (string | Uint8Array)[], options: Options = {}): Promise<Ran> {
  const { user = alice.name, clearsEnvironment = false, place } = options;
  const runAs: RunAs | null =
    user === null ? null : { user, clearsEnvironment, needsAccess: place !== undefined };
  const start = {
    ...plainStart(argv.map((word) => (typeof word === "string" ? utf8(word) : word))),
    runAs,
    variables: options.variables ?? [],
    place: place ?? new Uint8Array(0),
  };
  using dir = tempDir();
  const stderrFd = openSync(dir.join("out"), "w+");
  try {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    const { self: ownSelf = self } = options;
    const outputLog = testOutputLog();
    spawnCommand(start, { cwd: "/", self: ownSelf, stderrFd, outputLog, onExit: resolve });
    const ending = await promise;
    const output = readFileSync(dir.join("out"), "latin1");
    if (ending.kind !== "not-started") return { ending, error: null, output };
    return { ending: null, error: ending.error.message, output };
  } catch (error) {
    return { ending: null, error: (error as Error).message, output: "" };
  } finally {
    closeSync(stderrFd);
  }
}

const sh = (script: string, options: Options = {}): Promise<Ran> =>
  runAs(["/bin/sh", "-c", script], options);

/** By their inodes: what other test files left open in this process may close at any time. */
function openPipes(): Set<string> {
  const links = readdirSync("/proc/self/fd").map((fd) => linkOf(`/proc/self/fd/${fd}`));
  return new Set(links.filter((link) => link.startsWith("pipe:")));
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ""; // the descriptor that was reading the directory
  }
}

/** A directory that everybody may enter. */
function openDir(): TempDir {
  const dir = tempDir();
  chmodSync(dir.path, 0o755);
  return dir;
}

describe("a command as another user", () => {
  needsAccounts("is that user, with its groups and no others", async () => {
    const { output } = await runAs(["/usr/bin/id"]);
    expect(output).toBe(`${alice.id()}\n`);
    for (const group of alice.groups) expect(output).toContain(`(${group})`);
  });

  needsAccounts("can't go back and has no capability", async () => {
    const { output } = await sh("grep -E '^(Uid|Gid|Cap(Inh|Prm|Eff|Amb)):' /proc/self/status");
    const four = (text: string) => Array(4).fill(text).join("\t");
    expect(output.trimEnd().split("\n")).toEqual([
      `Uid:\t${four(alice.id("-u"))}`,
      `Gid:\t${four(alice.id("-g"))}`,
      ...["Inh", "Prm", "Eff", "Amb"].map((kind) => `Cap${kind}:\t${"0".repeat(16)}`),
    ]);
  });

  needsAccounts("gets its words byte for byte", async () => {
    using dir = openDir();
    const program = dir.script("show", "cat /proc/$$/cmdline");
    const words = [
      "two words",
      "",
      `'"\\`,
      "$(touch x)",
      "__exec",
      "--help",
      "\xff\xfe",
      "caf\xe9",
    ];
    const { output } = await runAs([program, ...words.map(fromLatin1), ""]);
    expect(output.split("\0")).toEqual(["/bin/sh", program, ...words, "", ""]);
  });

  needsAccounts("may have a program whose name is not UTF-8", async () => {
    using dir = openDir();
    const program = Buffer.concat([utf8(`${dir.path}/p`), fromLatin1("\xff")]);
    writeFileSync(program, "#!/bin/sh\nexit 42\n", { mode: 0o755 });
    expect((await runAs([program])).ending).toEqual({ kind: "exited", code: 42 });
  });

  needsAccounts(
    "with an environment of its own has that, what tells of the event and no more",
    async () => {
      const variables = [fromLatin1("FACRON_PATH=/in/\xff"), utf8("FACRON_SEQ=1")];
      const { output } = await runAs(["/usr/bin/env"], { clearsEnvironment: true, variables });
      expect(output.trimEnd().split("\n")).toEqual([
        `HOME=${alice.home}`,
        `USER=${alice.name}`,
        `LOGNAME=${alice.name}`,
        `SHELL=${alice.shell}`,
        `USERNAME=${alice.name}`,
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "FACRON_PATH=/in/\xff",
        "FACRON_SEQ=1",
      ]);
    },
  );

  needsAccounts("else has facron's, but for HOME, USER, LOGNAME and SHELL", async () => {
    const { output } = await runAs(["/usr/bin/env", "-0"]);
    const own = /^(HOME|USER|LOGNAME|SHELL)=/;
    const given = readFileSync("/proc/self/environ", "latin1").split("\0").slice(0, -1);
    expect(output.split("\0").slice(0, -1)).toEqual([
      ...given.filter((entry) => !own.test(entry)),
      `HOME=${alice.home}`,
      `USER=${alice.name}`,
      `LOGNAME=${alice.name}`,
      `SHELL=${alice.shell}`,
    ]);
  });

  needsAccounts("inherits all else as facron's own commands do", async () => {
    const script =
      "cat /proc/self/limits /proc/self/oom_score_adj /proc/self/timerslack_ns; " +
      "grep -E '^(Umask|Sig(Blk|Ign|Cgt)|NoNewPrivs|Seccomp):' /proc/self/status; " +
      "pwd; ls -l /proc/$$/fd | grep -o '[0-9]* -> .*'; " +
      "cut -d' ' -f5,6,7,18,19 /proc/$$/stat | sed \"s/^$$ /own group /\"";
    resetSignals();
    closeOthersOnExec();
    const direct = await sh(script, { user: null });
    closeOthersOnExec(); // what other test files have started may have opened more meanwhile
    const helped = await sh(script);
    const comparable = ({ output }: Ran) => output.replaceAll(/facron-test-[^/]*/g, "DIR");
    expect(comparable(helped)).toBe(comparable(direct));
    expect(helped.output).toContain("0 -> /dev/null");
    expect(helped.output).toContain("own group ");
  });

  needsAccounts("says how it ended, whatever the helper's own statuses are", async () => {
    const endings = [];
    for (const script of ["exit 0", "exit 7", "exit 127", "kill -KILL $$", "kill -34 $$"])
      endings.push((await sh(script)).ending);
    expect(endings).toEqual([
      { kind: "exited", code: 0 },
      { kind: "exited", code: 7 },
      { kind: "exited", code: 127 },
      { kind: "killed", signal: "SIGKILL" },
      { kind: "killed", signal: "signal 34" },
    ]);
  });

  needsAccounts("leaves no descriptor open in facron", async () => {
    await sh("exit 0");
    const before = openPipes();
    for (let i = 0; i < 3; i++) await sh("exit 1");
    for (let i = 0; i < 3; i++) await runAs(["/no/such"]);
    expect([...openPipes()].filter((pipe) => !before.has(pipe))).toEqual([]);
  });

  needsAccounts("is looked up anew after a reload", async () => {
    expect((await runAs(["/usr/bin/id", "-nG"], { user: bob.name })).output).toContain(
      bob.groups[0]!,
    );
    leaveGroup(bob, bob.groups[0]!);
    forgetAccounts();
    expect((await runAs(["/usr/bin/id", "-nG"], { user: bob.name })).output).toBe(`${bob.name}\n`);
  });
});

describe("a command that another user cannot start", () => {
  const refusals: [claim: string, make: (dir: TempDir) => string, reason: string][] = [
    ["is missing", (dir) => dir.join("missing"), "no such file"],
    [
      "has no interpreter",
      (dir) => dir.write("script", "#!/no/such\n", { mode: 0o755 }),
      'the interpreter "/no/such" in its first line does not exist',
    ],
    [
      "is root's own",
      (dir) => dir.write("private", "#!/bin/sh\n", { mode: 0o700 }),
      "permission denied: look at its mode, at its interpreter's, at those of the directories above them, and for a mount with noexec",
    ],
    [
      "is executable for nobody",
      (dir) => dir.write("data", "#!/bin/sh\n", { mode: 0o644 }),
      "it is not executable: chmod +x makes it so",
    ],
    [
      "lies where the user may not go",
      (dir) => {
        chmodSync(dir.mkdir("closed"), 0o700);
        return dir.script("closed/program", "exit 0");
      },
      "permission denied: look at its mode, at its interpreter's, at those of the directories above them, and for a mount with noexec",
    ],
    [
      "has no #! line",
      (dir) => dir.write("text", "echo\n", { mode: 0o755 }),
      'it has no #! line and facron uses no shell: add "#!/bin/sh" as its first line',
    ],
  ];
  for (const [claim, make, reason] of refusals) {
    needsAccounts(claim, async () => {
      using dir = openDir();
      const program = make(dir);
      expect(await runAs([program])).toEqual({
        ending: null,
        error: `Cannot start "${program}" as "${alice.name}": ${reason}`,
        output: "",
      });
    });
  }

  needsAccounts("gets more arguments than the kernel takes", async () => {
    const { error } = await runAs(["/bin/true", ...Array<string>(100).fill("x".repeat(100_000))]);
    expect(error).toStartWith(`Cannot start "/bin/true" as "${alice.name}": its arguments and`);
  });

  test("is of nobody", async () => {
    expect((await runAs(["/bin/true"], { user: "no-such-user" })).error).toBe(
      'Cannot run as "no-such-user": there is no such user; correct the rule, or add the user and reload',
    );
  });

  needsAccounts("has a helper that fails", async () => {
    const { error } = await runAs(["/bin/true"], { self: [process.execPath, "/no/such.ts"] });
    expect(error).toBe(
      `Cannot run as "${alice.name}": facron's helper exited 1 before it had started the command`,
    );
  });
});

needsAccounts("a command as root of root's facron needs no helper", async () => {
  const noHelper = [process.execPath, "/no/such.ts"];
  const { output } = await sh('echo "$USER $HOME"; id -u', { user: "0", self: noHelper });
  expect(output).toBe("root /root\n0\n");
});

describe("a command that needs access", () => {
  const run = (place: string | Uint8Array, user = alice.name) =>
    runAs(["/bin/true"], { user, place: typeof place === "string" ? utf8(place) : place });
  const denied = (place: string) => `not run: ${alice.name} may not read "${place}"`;

  needsAccounts("runs if its user may read the place, and not otherwise", async () => {
    using dir = openDir();
    dir.mkdir("place");
    expect((await run(dir.join("place"))).ending).toEqual({ kind: "exited", code: 0 });
    chmodSync(dir.join("place"), 0o711);
    expect((await run(dir.join("place"))).error).toBe(denied(dir.join("place")));
    chmodSync(dir.join("place"), 0o755);
    chmodSync(dir.path, 0o600);
    expect((await run(dir.join("place"))).error).toBe(denied(dir.join("place")));
  });

  needsAccounts("asks for a file that is watched itself", async () => {
    using dir = openDir();
    dir.write("file", "", { mode: 0o644 });
    expect((await run(dir.join("file"))).error).toBeNull();
    chmodSync(dir.join("file"), 0o600);
    expect((await run(dir.join("file"))).error).toBe(denied(dir.join("file")));
  });

  needsAccounts("asks for what is left above a place that is gone", async () => {
    using dir = openDir();
    dir.mkdir("left");
    expect((await run(dir.join("left/gone/too"))).error).toBeNull();
    chmodSync(dir.join("left"), 0o744); // readable, not searchable
    expect((await run(dir.join("left/gone/too"))).error).toBe(denied(dir.join("left/gone/too")));
    chmodSync(dir.join("left"), 0o711); // searchable, not readable
    expect((await run(dir.join("left/gone/too"))).error).toBe(denied(dir.join("left/gone/too")));
    expect((await run("/gone")).error).toBeNull();
  });

  needsAccounts("asks byte for byte", async () => {
    using dir = openDir();
    const place = Buffer.concat([utf8(`${dir.path}/`), fromLatin1("\xff")]);
    Bun.spawnSync(["sh", "-c", `mkdir -m 700 "$(printf '${dir.path}/\\377')"`]);
    expect((await run(place)).error).toContain("not run: ");
    chmodSync(place, 0o755);
    expect((await run(place)).error).toBeNull();
  });

  needsAccounts("asks for root too, and root may", async () => {
    using dir = openDir();
    chmodSync(dir.mkdir("place"), 0o000);
    expect((await run(dir.join("place"), "root")).error).toBeNull();
  });
});
