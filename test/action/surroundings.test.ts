/** What the kernel gives a command besides its user: directory, group, mask, priority, session, environment. */
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromLatin1, utf8 } from "../../ffi/bytes.ts";
import { _LINUX_CAPABILITY_VERSION_3 } from "../../ffi/credentials.ts";
import { libc } from "../../ffi/libc.ts";
import type { Surroundings } from "../../src/rule/policy.ts";
import { addAccount, needsAccounts } from "../helpers/account.ts";
import { needsRoot, requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { as, closeOthersOnExec, run, sh, startTest } from "./support.ts";

const alice = addAccount({ groups: 3 });
const bob = addAccount({ groups: 1 });
const rootTest = needsRoot("changes group and priority");
const compilerTest = requires({ root: "adds users", tools: ["cc", "useradd"] });

/** As nobody, whose facron may do little. @returns what the command has written, or why it was not started */
function runAsNobody(words: readonly string[], surroundings: Surroundings): string {
  const main = join(import.meta.dir, "spawn-main.ts");
  const argv = [process.execPath, main, JSON.stringify(words), JSON.stringify(surroundings)];
  return Bun.spawnSync(argv, { uid: 65_534, gid: 65_534 }).stdout.toString();
}

describe("cwd", () => {
  test("is where the command runs, and not where its program is looked for", async () => {
    using dir = tempDir();
    const { output } = await run(["bin/pwd"], { surroundings: { cwd: dir.path } });
    expect(output).toBe(`${dir.path}\n`);
  });

  needsAccounts("may be closed to everybody but the command's user", async () => {
    using dir = tempDir();
    chmodSync(dir.path, 0o711);
    const own = dir.mkdir("own");
    chmodSync(own, 0o700);
    chownSync(own, Number(alice.id("-u")), Number(alice.id("-g")));
    const more = { runAs: as(alice.name), surroundings: { cwd: own } };
    expect((await sh("pwd", more)).output).toBe(`${own}\n`);
    expect((await sh("pwd", { ...more, runAs: as(bob.name) })).error).toBe(
      `Cannot start "/bin/sh" as "${bob.name}" in "${own}": permission denied: the command's user needs x on it and on the directories above it`,
    );
  });

  test("that is missing, or no directory, is said with its cure, with and without the helper", async () => {
    using dir = tempDir();
    const file = dir.write("file");
    for (const more of [{}, { umask: 0o22 }]) {
      const errorIn = async (cwd: string) =>
        (await run(["/bin/true"], { surroundings: { cwd, ...more } })).error;
      expect(await errorIn(dir.join("none"))).toBe(
        `Cannot start "/bin/true" in "${dir.join("none")}": no such directory; make it, or correct cwd`,
      );
      expect(await errorIn(file)).toBe(
        `Cannot start "/bin/true" in "${file}": it is not a directory; correct cwd`,
      );
    }
  });

  test("that is there does not take the blame for a program that is not", async () => {
    const { error } = await run(["/no/such"], { surroundings: { cwd: "/" } });
    expect(error).toBe('Cannot start "/no/such": no such file');
  });
});

describe("environment", () => {
  const environment = { HOME: "/other", LANG: "caf\u00e9", EMPTY: "", A: "b=c d" };

  test("is added to facron's, takes the place of what has its name, and is byte for byte", async () => {
    const { output } = await run(["/usr/bin/env", "-0"], { surroundings: { environment } });
    const given = readFileSync("/proc/self/environ", "latin1").split("\0").slice(0, -1);
    const kept = given.filter((entry) => !/^(HOME|LANG|EMPTY|A)=/.test(entry));
    const added = ["HOME=/other", "LANG=caf\xc3\xa9", "EMPTY=", "A=b=c d"];
    expect(output.split("\0").slice(0, -1)).toEqual([...kept, ...added]);
  });

  needsAccounts("takes the place of the user's too", async () => {
    const more = { runAs: as(alice.name), surroundings: { environment } };
    const { output } = await sh('echo "$HOME $USER $A"', more);
    expect(output).toBe(`/other ${alice.name} b=c d\n`);
  });

  test("can't say anything else of the event than what happened", async () => {
    const surroundings = { environment: { FACRON_PATH: "/forged" } };
    const variables = [fromLatin1("FACRON_PATH=/real/\xff")];
    const { output } = await run(["/usr/bin/env"], { surroundings, variables });
    expect(output.split("\n").filter((line) => line.startsWith("FACRON_PATH"))).toEqual([
      "FACRON_PATH=/real/\xff",
    ]);
  });

  test("without facron's own has PATH and what the rule says", async () => {
    const surroundings = { clearsEnvironment: true, environment: { A: "1" } };
    const variables = [utf8("FACRON_SEQ=1")];
    const { output } = await run(["/usr/bin/env"], { surroundings, variables });
    expect(output).toBe("PATH=/usr/local/bin:/usr/bin:/bin\nA=1\nFACRON_SEQ=1\n");
  });

  compilerTest("is not obeyed by the helper, which is still root", async () => {
    using dir = tempDir();
    chmodSync(dir.path, 0o777);
    const source = dir.write(
      "hook.c",
      `#include <fcntl.h>\n#include <stdio.h>\n#include <unistd.h>\n` +
        `__attribute__((constructor)) static void hook(void) {\n` +
        `  dprintf(open("${dir.join("uids")}", O_WRONLY | O_CREAT | O_APPEND, 0666), "%d\\n", getuid());\n}\n`,
    );
    const library = dir.join("hook.so");
    expect(Bun.spawnSync(["cc", "-shared", "-fPIC", "-o", library, source]).success).toBe(true);
    const surroundings = { environment: { LD_PRELOAD: library } };
    await run(["/bin/true"], { runAs: as(alice.name), surroundings });
    expect(readFileSync(dir.join("uids"), "utf8")).toBe(`${alice.id("-u")}\n`);
  });
});

describe("group", () => {
  const gidOf = (name: string) =>
    Bun.spawnSync(["getent", "group", name]).stdout.toString().split(":")[2]!;

  needsAccounts("takes the place of the user's own, and the supplementary ones stay", async () => {
    const group = bob.groups[0]!;
    const more = { runAs: as(alice.name), surroundings: { group } };
    const { output } = await sh("id -u; id -g; id -Gn", more);
    const [uid, gid, names] = output.split("\n");
    expect([uid, gid]).toEqual([alice.id("-u"), gidOf(group)]);
    expect(names!.split(" ").sort()).toEqual([group, ...alice.groups].sort());
  });

  needsAccounts("without a user is all that changes", async () => {
    const group = bob.groups[0]!;
    const script = "grep -E '^(Uid|Groups|CapEff):' /proc/self/status";
    const [plain, grouped] = [await sh(script), await sh(script, { surroundings: { group } })];
    expect(grouped.output).toBe(plain.output);
    const { output } = await sh("id -g", { surroundings: { group } });
    expect(output).toBe(`${gidOf(group)}\n`);
  });

  rootTest("may be a number that has no name", async () => {
    expect((await sh("id -g", { surroundings: { group: "54321" } })).output).toBe("54321\n");
  });

  test("that does not exist is said with its cure", async () => {
    expect((await sh("id", { surroundings: { group: "no-such-group" } })).error).toBe(
      'Cannot run with the group "no-such-group": there is no such group; correct the rule, or add the group and reload',
    );
  });

  rootTest("needs privilege", () => {
    expect(runAsNobody(["/bin/true"], { group: "0" })).toBe(
      'Cannot start "/bin/true" with the group "0": facron lacks CAP_SETUID or CAP_SETGID: add them to CapabilityBoundingSet= in its unit, or to its container\n',
    );
  });
});

describe("umask, nice and session", () => {
  test("umask is the command's", async () => {
    expect((await sh("umask", { surroundings: { umask: 0o137 } })).output).toBe("0137\n");
    expect((await sh("umask", { surroundings: { umask: 0 } })).output).toBe("0000\n");
  });

  rootTest("nice is the command's priority, whatever facron's own is", async () => {
    for (const nice of [-5, 0, 7]) {
      expect((await sh("nice", { surroundings: { nice } })).output).toBe(`${nice}\n`);
    }
  });

  rootTest("nice below facron's own needs privilege", () => {
    expect(runAsNobody(["/usr/bin/nice"], { nice: 3 })).toBe("3\n");
    expect(runAsNobody(["/usr/bin/nice"], { nice: -3 })).toBe(
      'Cannot start "/usr/bin/nice" with nice -3: facron lacks CAP_SYS_NICE: run it as root, raise LimitNICE= in its unit, or choose a higher number\n',
    );
  });

  needsAccounts("a session is the command's own, and so is its group", async () => {
    for (const more of [{}, { runAs: as(alice.name) }]) {
      const script = "echo $$; cut -d' ' -f5,6 /proc/$$/stat";
      const { output } = await sh(script, { ...more, surroundings: { session: true } });
      const [pid, ids] = output.split("\n");
      expect(ids).toBe(`${pid} ${pid}`);
    }
  });

  test("without one it stays in facron's session", async () => {
    const { output } = await sh("cut -d' ' -f6 /proc/$$/stat");
    expect(output).toBe(readFileSync("/proc/self/stat", "latin1").split(" ")[5] + "\n");
  });
});

needsAccounts("a command with everything has that, and nothing of facron's", async () => {
  using dir = tempDir();
  chmodSync(dir.path, 0o777);
  const script =
    "grep -E '^(Uid|Gid|Groups|Umask|Cap|NoNewPrivs|SigBlk|SigIgn)' /proc/self/status; " +
    "nice; pwd; echo $HOME; ls /proc/$$/fd | tr '\\n' ' '; cut -d' ' -f5,6 /proc/$$/stat | sed s/$$/own/g";
  const surroundings: Surroundings = {
    cwd: dir.path,
    umask: 0o27,
    nice: 4,
    session: true,
    cgroup: { memoryMax: 256 * 2 ** 20, pidsMax: 50 },
    output: { kind: "file", path: dir.join("out") },
  };
  const more = { runAs: as(alice.name), surroundings, stdin: utf8("x") };
  closeOthersOnExec();
  const { ending, output } = await sh(script, more);
  expect({ ending, output }).toEqual({ ending: { kind: "exited", code: 0 }, output: "" });
  const four = (text: string) => Array(4).fill(text).join("\t");
  const none = "0".repeat(16);
  const bounding = /^CapBnd:.*$/m.exec(readFileSync("/proc/self/status", "latin1"))![0];
  const groups = alice.id("-G").split(" ").map(Number);
  expect(readFileSync(dir.join("out"), "latin1").trimEnd().split("\n")).toEqual([
    "Umask:\t0027",
    `Uid:\t${four(alice.id("-u"))}`,
    `Gid:\t${four(alice.id("-g"))}`,
    `Groups:\t${groups.sort((a, b) => a - b).join(" ")} `,
    `SigBlk:\t${none}`,
    `SigIgn:\t${none}`,
    `CapInh:\t${none}`,
    `CapPrm:\t${none}`,
    `CapEff:\t${none}`,
    bounding, // sudo and ping go on working, as they do for cron
    `CapAmb:\t${none}`,
    "NoNewPrivs:\t0",
    "4",
    dir.path,
    alice.home,
    "0 1 2 own own",
  ]);
});

needsAccounts("a user keeps no capability that facron has made inheritable", async () => {
  const header = Uint32Array.of(_LINUX_CAPABILITY_VERSION_3, 0);
  const status = readFileSync("/proc/thread-self/status", "latin1");
  const of = (name: string) => BigInt(`0x${new RegExp(`${name}:\\t(\\w+)`).exec(status)![1]}`);
  const halves = (inheritable: bigint) =>
    Uint32Array.from(
      [0n, 32n].flatMap((shift) =>
        [of("CapEff"), of("CapPrm"), inheritable].map((set) =>
          Number((set >> shift) & 0xffffffffn),
        ),
      ),
    );
  const CAP_NET_RAW = 1n << 13n;
  expect(libc.capset(header, halves(CAP_NET_RAW))).toBe(0);
  try {
    const script = "grep ^CapInh /proc/self/status";
    expect((await sh(script)).output).toBe("CapInh:\t0000000000002000\n"); // it is passed on
    expect((await sh(script, { runAs: as(alice.name) })).output).toBe(
      `CapInh:\t${"0".repeat(16)}\n`,
    );
  } finally {
    libc.capset(header, halves(of("CapInh")));
  }
});

describe("output", () => {
  const to = (path: string) => ({ surroundings: { output: { kind: "file" as const, path } } });

  test("to null is nowhere", async () => {
    const more = { surroundings: { output: { kind: "null" as const } } };
    expect(await sh("echo x; echo y >&2", more)).toEqual({
      ending: { kind: "exited", code: 0 },
      error: null,
      output: "",
    });
  });

  test("to a file is appended, by whomever, and the file is made for its owner and group", async () => {
    using dir = tempDir();
    const file = dir.join("out");
    await sh("echo one; echo two >&2", to(file));
    await sh("echo three", to(file));
    expect(readFileSync(file, "utf8")).toBe("one\ntwo\nthree\n");
    const { stdout } = Bun.spawnSync(["stat", "-c", "%a", file]);
    expect(stdout.toString()).toBe("640\n");
  });

  needsAccounts("to a file is opened by facron, and not by the user", async () => {
    using dir = tempDir();
    const file = dir.write("out", "", { mode: 0o600 });
    await sh("echo x", { runAs: as(alice.name), ...to(file) });
    expect(readFileSync(file, "utf8")).toBe("x\n");
  });

  test("to a FIFO that nobody reads is an error at once, and to one that is read waits as usual", async () => {
    using dir = tempDir();
    const fifo = dir.join("fifo");
    Bun.spawnSync(["mkfifo", fifo]);
    expect((await sh("touch ran", to(fifo))).error).toBe(
      `Cannot open "${fifo}" for the command's output: it is a FIFO that nobody reads, or a socket; start its reader first, or name a file`,
    );
    const reader = openSync(fifo, "r+");
    const script = "grep ^flags /proc/$$/fdinfo/1 >&2 2>/dev/null";
    const { ending } = await sh(script, to(fifo));
    const text = Bun.spawnSync(["head", "-n1", fifo]).stdout.toString();
    closeSync(reader);
    expect(ending).toEqual({ kind: "exited", code: 0 });
    expect(parseInt(text.split("\t")[1]!, 8) & 0o4000).toBe(0); // O_NONBLOCK
  });

  test("to what can't be opened is one sentence with the cure, and nothing is run", async () => {
    using dir = tempDir();
    const touched = dir.join("touched");
    const errorFor = async (path: string) => (await sh(`touch ${touched}`, to(path))).error;
    const error = (path: string, reason: string) =>
      `Cannot open "${path}" for the command's output: ${reason}`;
    const missing = dir.join("none/out");
    expect(await errorFor(missing)).toBe(
      error(missing, "its directory does not exist; make it, or correct output"),
    );
    expect(await errorFor(dir.path)).toBe(error(dir.path, "it is a directory; name a file in it"));
    expect(existsSync(touched)).toBe(false);
  });

  test("leaves no descriptor behind", async () => {
    using dir = tempDir();
    for (let i = 0; i < 3; i++) await sh("true", to(dir.join("out")));
    for (let i = 0; i < 3; i++) await run(["/no/such"], to(dir.join("out")));
    const { stdout } = Bun.spawnSync(["ls", "-l", `/proc/${process.pid}/fd`]);
    expect(stdout.toString()).not.toContain(dir.path);
  });
});

test("a signal reaches the group, also when its first process has ended", async () => {
  using dir = tempDir();
  const script = `(echo $$; trap "" TERM; sleep 1000 & echo $!) >${dir.join("pids")}`;
  const { started, ending } = startTest(["/bin/sh", "-c", script], {});
  await ending;
  expect(started.isGone()).toBe(false);
  started.signal(9);
  await waitFor(() => started.isGone(), { what: "the end of the group" });
});
