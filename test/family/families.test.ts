/** Families of real processes: each record's writer, however short it lived, is known to be ours or not. */
import { describe, expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { Fd, readNow } from "../../ffi/fd.ts";
import { check, SyscallError } from "../../ffi/errno.ts";
import { libc } from "../../ffi/libc.ts";
import { SO_RCVBUFFORCE, SOL_SOCKET } from "../../ffi/proc-connector/abi.ts";
import { FAN_CLOSE_WRITE, FAN_EVENT_ON_CHILD } from "../../ffi/fanotify/abi.ts";
import { fanotifyInit, fanotifyMarkAdd } from "../../ffi/fanotify/calls.ts";
import { FanotifyReader } from "../../ffi/fanotify/reader.ts";
import { openProcConnector, ProcConnector } from "../../ffi/proc-connector/calls.ts";
import { Families } from "../../src/family/families.ts";
import { noFamily, unknownFamily } from "../../src/family/family.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { needsRoot } from "../helpers/requires.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const cells = { commandsAct: 3, processEventsFd: 0, familyMembers: 2 };

const rootTest = needsRoot("listens to process events and uses fanotify");

interface Scene {
  readonly dir: TempDir;
  readonly connector: ProcConnector;
  readonly families: Families;
  readonly counters: Int32Array;
  readonly said: string[];
  /** 0: there is none. */
  readonly guard: { pid: number };
  /** Reads what is queued. @returns the families of the writers, in order */
  writers(): number[];
}

/** A directory whose writers are told, and families as the reader has them; `hasConnector`: by netlink; `isLate`: commands act before. */
function scene({ hasConnector = true, isLate = false } = {}): Scene {
  const dir = tempDir();
  const group: Fd = fanotifyInit({ unlimitedMarks: true });
  fanotifyMarkAdd(group.number, cString(utf8(dir.path)), FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD);
  const connector = openProcConnector();
  if (connector instanceof SyscallError) throw connector;
  atTestEnd(() => (connector.close(), group.close()));
  const counters = new Int32Array(16);
  counters[cells.processEventsFd] = hasConnector ? connector.fd + 1 : 0;
  counters[cells.commandsAct] = isLate ? 1 : 0;
  const said: string[] = [];
  const log = { warn: (text: string) => void said.push(text) };
  let isRead = true;
  const guard = { pid: 0 };
  const families = new Families({
    ...{ counters, cells, log, ownPid: process.pid },
    guardPid: () => guard.pid,
    allIsRead: () => isRead,
  });
  counters[cells.commandsAct] = 1;
  connector.listen();
  const buffer = new Uint8Array(64 * 1024);
  const events = new FanotifyReader(buffer);
  const writers = (): number[] => {
    const found: number[] = [];
    for (;;) {
      families.beginRead();
      const length = readNow(group.number, buffer);
      if (length <= 0) return found;
      isRead = false;
      events.reset(length);
      while (events.next()) found.push(families.of(events.pid));
      isRead = true;
    }
  };
  return { dir, connector, families, counters, said, guard, writers };
}

/** Its pid, once it has ended. */
function run(script: string): number {
  return Bun.spawnSync(["sh", "-c", script], { stdio: ["ignore", "ignore", "inherit"] }).pid;
}

/** By a process that is none of our descendants. */
async function foreignShell(): Promise<{
  run(script: string): Promise<void>;
  readonly pid: number;
}> {
  // The shell in the middle ends at once: whoever it leaves behind is told to be a child of another.
  const dir = tempDir();
  const fifo = dir.join("fifo");
  Bun.spawnSync(["mkfifo", fifo]);
  const inner = `exec <>${fifo}; echo $$ >${dir.join("pid")}; while read -r line; do eval "$line"; done`;
  const argv = ["setsid", "-f", "sh", "-c", inner];
  Bun.spawnSync(argv, { stdio: ["ignore", "ignore", "inherit"] });
  const pidFile = Bun.file(dir.join("pid"));
  const pid = await waitFor(async () => Number(await pidFile.text().catch(() => "")) || null, {
    what: "the shell",
  });
  atTestEnd(() => void process.kill(pid, "SIGKILL"));
  let turn = 0;
  const runIn = async (script: string): Promise<void> => {
    const done = dir.join(`done${turn++}`);
    writeFileSync(fifo, `${script}; : >${done}\n`);
    await waitFor(() => Bun.file(done).exists(), { what: script });
  };
  return { pid, run: runIn };
}

describe("Families by the connector", () => {
  rootTest("a command, its children and theirs are all of the command's family", () => {
    const { dir, writers } = scene();
    const f = dir.join("f");
    const pid = run(`echo >${f}; sh -c 'echo >${f}; sh -c "echo >${f}"; true'; (echo >${f})`);
    expect(writers()).toEqual([pid, pid, pid, pid]);
  });

  rootTest("writers that are orphans, and gone, when their record is read", async () => {
    const { dir, writers } = scene();
    for (let turn = 0; turn < 100; turn++) {
      const f = dir.join(`f${turn}`);
      const pid = run(`sh -c 'sh -c "echo >${f}" &' &`);
      await waitFor(() => Bun.file(f).exists(), { what: f });
      let found: number[] = [];
      await waitFor(() => (found = [...found, ...writers()]).length > 0, { what: "the record" });
      expect(found).toEqual([pid]);
    }
  });

  rootTest("daemons that fork twice, in sessions of their own", async () => {
    const { dir, writers } = scene();
    const f = dir.join("f");
    const pid = run(`setsid -f sh -c 'setsid -f sh -c "echo >${f}"'`);
    const found = await waitFor(
      () => {
        const some = writers();
        return some.length > 0 && some;
      },
      { what: "the record" },
    );
    expect(found).toEqual([pid]);
  });

  rootTest("nobody else is taken for ours, also beside commands of ours", async () => {
    const { dir, writers, connector } = scene();
    connector.rest();
    const foreign = await foreignShell(); // forked while nobody listened: not ours
    connector.listen();
    for (let turn = 0; turn < 50; turn++) {
      const pid = run(`echo >${dir.join("f")}`);
      await foreign.run(`sh -c 'echo >${dir.join("f")}'`);
      expect(writers()).toEqual([pid, noFamily]);
    }
  });

  rootTest("counts who still runs, and knows what is left when they have ended", async () => {
    const { dir, families, counters, writers } = scene();
    const members = () => {
      families.lookNow();
      return counters[cells.familyMembers];
    };
    run(`sh -c 'until [ -e ${dir.join("go")} ]; do :; done; echo >${dir.join("f")}' &`);
    expect(members()).toBe(1);
    dir.write("go");
    await waitFor(() => members() === 0, { what: "its end" });
    expect(writers().length).toBe(2); // "go" is ours, too: this process is no command
    expect(families.timeoutMs).toBe(100);
    counters[cells.commandsAct] = 0;
    expect(families.timeoutMs).toBe(10_000);
  });

  rootTest("what commands that ran before have started is known to be theirs", async () => {
    const f = tempDir().join("f");
    const script = `sh -c 'echo >${f}; read line; echo >"$line"; read line'; true`;
    const command = Bun.spawn(["sh", "-c", script], { stdin: "pipe" });
    atTestEnd(async () => void (command.stdin.end(), await command.exited)); // both read it
    await waitFor(() => Bun.file(f).exists(), { what: "the command's child" });
    const { dir, writers } = scene({ isLate: true });
    command.stdin.write(`${dir.join("f")}\n`);
    await command.stdin.flush();
    let found: number[] = [];
    await waitFor(() => (found = writers()).length > 0, { what: "the record" });
    expect(found).toEqual([command.pid]);
  });

  rootTest("the guard is a child of ours and no command, whenever it has started", () => {
    const { families, counters, guard } = scene();
    const child = Bun.spawn(["sleep", "60"]);
    atTestEnd(async () => void (child.kill("SIGKILL"), await child.exited));
    families.lookNow();
    expect(counters[cells.familyMembers]).toBe(1); // before anybody has said so
    guard.pid = child.pid;
    families.lookNow();
    expect(counters[cells.familyMembers]).toBe(0);
    expect(families.of(child.pid)).toBe(noFamily);
  });

  rootTest("when nothing acts, nothing is asked and nothing is waited for", () => {
    const { dir, counters, families, writers } = scene();
    counters[cells.commandsAct] = 0;
    expect(families.timeoutMs).toBe(-1);
    run(`echo >${dir.join("f")}`);
    expect(writers()).toEqual([noFamily]);
    expect(families.of(0)).toBe(unknownFamily);
  });

  rootTest("after a loss it looks in /proc, until all that was queued has been read", () => {
    const { dir, families, counters, said, writers, connector } = scene();
    const f = dir.join("f");
    const small = new Uint8Array(Int32Array.of(4096).buffer);
    check(libc.setsockopt(connector.fd, SOL_SOCKET, SO_RCVBUFFORCE, small, 4), "setsockopt");
    const loop = "i=0; while [ $i -lt 500 ]; do (:); i=$((i+1)); done";
    const argv = ["sh", "-c", `${loop}; echo >${f}; read line`];
    const shell = Bun.spawn(argv, { stdin: "pipe" });
    atTestEnd(() => shell.kill("SIGKILL"));
    const deadline = performance.now() + 10_000;
    let found: number[] = [];
    while (found.length === 0 && performance.now() < deadline) found = writers();
    expect(found).toEqual([shell.pid]);
    expect(said).toEqual([expect.stringContaining("Processes started faster than facron")]);
    expect(counters[cells.familyMembers]).toBe(1);
    expect(families.of(0x7fff_ffff)).toBe(unknownFamily); // it may have been one of those
    families.lookNow();
    expect(families.of(0x7fff_ffff)).toBe(noFamily);
  });
});

describe("Families by /proc", () => {
  rootTest("a writer that lives is of its family, one that is gone of nobody knows which", () => {
    const { dir, writers } = scene({ hasConnector: false });
    const f = dir.join("f");
    const shell = Bun.spawnSync(["sh", "-c", `echo >${f}`]);
    expect(shell.success).toBe(true);
    expect(writers()).toEqual([unknownFamily]);
    const living = Bun.spawn(["sh", "-c", `sh -c 'echo >${f}; read line'; read line`], {
      stdin: "pipe",
    });
    atTestEnd(() => living.kill("SIGKILL"));
    let found: number[] = [];
    const deadline = performance.now() + 10_000;
    while (found.length === 0 && performance.now() < deadline) found = writers();
    expect(found).toEqual([living.pid]);
  });

  rootTest("when nothing acts nothing is looked up", () => {
    const { dir, writers, counters } = scene({ hasConnector: false });
    counters[cells.commandsAct] = 0;
    run(`echo >${dir.join("f")}`);
    expect(writers()).toEqual([noFamily]);
  });
});
