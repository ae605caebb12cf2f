/** The connector's socket on the real kernel: it tells of forks while it listens, and of nothing else. */
import { describe, expect } from "bun:test";
import { SyscallError } from "../../../ffi/errno.ts";
import { procEvents } from "../../../ffi/proc-connector/abi.ts";
import {
  openProcConnector,
  ProcConnector,
  procEventBuffer,
  receiveProcEvent,
} from "../../../ffi/proc-connector/calls.ts";
import { ProcEventReader } from "../../../ffi/proc-connector/reader.ts";
import { atTestEnd } from "../../helpers/at-test-end.ts";
import { requires } from "../../helpers/requires.ts";

const connectorTest = requires({ root: "listens to process events", tools: ["unshare"] });

function opened(): ProcConnector {
  const connector = openProcConnector();
  if (connector instanceof SyscallError) throw connector;
  atTestEnd(() => connector.close());
  return connector;
}

interface Told {
  readonly what: number;
  readonly pid: number;
  readonly tgid: number;
  readonly parentTgid: number;
}

/** All that the socket has now. */
function received(fd: number): Told[] {
  const buffer = procEventBuffer();
  const events = new ProcEventReader(buffer);
  const told: Told[] = [];
  for (;;) {
    const length = receiveProcEvent(fd, buffer);
    if (length === null) throw new Error("messages were lost");
    if (length === 0) return told;
    events.reset(length);
    while (events.next()) {
      const { what, pid, tgid, parentTgid } = events;
      told.push({ what, pid, tgid, parentTgid });
    }
  }
}

describe("openProcConnector", () => {
  connectorTest("tells of the fork, the exec and the exit of a child, in that order", () => {
    const connector = opened();
    connector.listen();
    const { pid } = Bun.spawnSync(["true"]);
    const told = received(connector.fd).filter((one) => one.tgid === pid && one.pid === pid);
    const { PROC_EVENT_FORK, PROC_EVENT_EXEC, PROC_EVENT_EXIT } = procEvents;
    expect(told).toEqual([
      { what: PROC_EVENT_FORK, pid, tgid: pid, parentTgid: process.pid },
      { what: PROC_EVENT_EXEC, pid, tgid: pid, parentTgid: 0 },
      { what: PROC_EVENT_EXIT, pid, tgid: pid, parentTgid: 0 },
    ]);
  });

  connectorTest("says nothing before it listens and while it rests", () => {
    const connector = opened();
    Bun.spawnSync(["true"]);
    expect(received(connector.fd)).toEqual([]);
    connector.listen();
    Bun.spawnSync(["true"]);
    connector.rest();
    expect(received(connector.fd)).not.toEqual([]);
    Bun.spawnSync(["true"]);
    expect(received(connector.fd)).toEqual([]);
  });

  connectorTest("has a fork in the socket before the child does anything", () => {
    const connector = opened();
    connector.listen();
    for (let i = 0; i < 200; i++) {
      const { pid, stdout } = Bun.spawnSync(["sh", "-c", "echo $$"]);
      expect(Number(stdout.toString())).toBe(pid);
      expect(received(connector.fd).some((one) => one.tgid === pid)).toBe(true);
    }
  });

  connectorTest("says once that it was full, and goes on", () => {
    const connector = opened();
    connector.listen();
    // 20,000 forks and as many exits a time; a message takes about 1 KiB of the socket's 32 MiB.
    const loop = "i=0; while [ $i -lt 5000 ]; do (:); i=$((i+1)); done";
    const many = `for n in 1 2 3 4; do (${loop}) & done; wait`;
    const buffer = procEventBuffer();
    let isFull = false;
    for (let tries = 0; tries < 20 && !isFull; tries++) {
      Bun.spawnSync(["sh", "-c", many]);
      isFull = receiveProcEvent(connector.fd, buffer) === null;
    }
    expect(isFull).toBe(true);
    expect(received(connector.fd).length).toBeGreaterThan(1_000);
    const { pid } = Bun.spawnSync(["true"]);
    expect(received(connector.fd).some((one) => one.tgid === pid)).toBe(true);
  });

  connectorTest("is not to be had in another pid namespace, and says so", () => {
    const script = `
      const { openProcConnector } = await import("${import.meta.dir}/../../../ffi/proc-connector/calls.ts");
      const opened = openProcConnector();
      console.log(opened instanceof Error ? opened.syscall + " " + opened.code : "opened");`;
    const argv = ["unshare", "-pf", "--mount-proc", process.execPath, "-e", script];
    const { stdout } = Bun.spawnSync(argv);
    expect(stdout.toString().trim()).toBe("PROC_CN_MCAST_LISTEN EOPNOTSUPP");
  });
});
