/** The socket that tells of processes, as the main thread has it: opened once, and its lack is said once. */
import { describe, expect, test } from "bun:test";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { existsSync } from "node:fs";
import { procEvents } from "../../ffi/proc-connector/abi.ts";
import {
  ProcConnector,
  procEventBuffer,
  receiveProcEvent,
  unansweredCall,
} from "../../ffi/proc-connector/calls.ts";
import { ProcEventReader } from "../../ffi/proc-connector/reader.ts";
import { Fd, openPipe } from "../../ffi/fd.ts";
import { ConnectorEvents } from "../../src/daemon/process-events.ts";
import { MemoryLog } from "../action/support.ts";
import { needsRoot } from "../helpers/requires.ts";

function scene(open?: () => ProcConnector | SyscallError) {
  const log = new MemoryLog();
  const told: [boolean, number | null][] = [];
  const events = new ConnectorEvents({ log, ...(open && { open }) });
  events.add({ commandsAct: (...act) => void told.push(act) });
  return { log, told, events };
}

/** The children of ours whose forks wait in the socket. */
function forksIn(fd: number): number[] {
  const buffer = procEventBuffer();
  const events = new ProcEventReader(buffer);
  const found: number[] = [];
  for (;;) {
    const length = receiveProcEvent(fd, buffer);
    if (length === 0 || length === null) return found;
    events.reset(length);
    while (events.next()) {
      const { what, pid, tgid, parentTgid } = events;
      const isFork = what === procEvents.PROC_EVENT_FORK && pid === tgid;
      if (isFork && parentTgid === process.pid) found.push(tgid);
    }
  }
}

describe("ConnectorEvents", () => {
  needsRoot("listens to process events")("gives the reader one socket for good", () => {
    const { events, told, log } = scene();
    events.listen();
    events.rest();
    events.listen();
    const fd = told[0]![1];
    expect(fd).toBeGreaterThan(2);
    expect(told).toEqual([
      [true, fd],
      [false, fd],
      [true, fd],
    ]);
    expect(log.lines).toEqual([]);
  });

  test.each([
    ["setsockopt", Errno.EPERM, "the kernel tells of processes only with CAP_NET_ADMIN"],
    ["socket", Errno.EPROTONOSUPPORT, "this kernel tells of no processes (CONFIG_PROC_EVENTS)"],
    [
      "send",
      Errno.ECONNREFUSED,
      "the kernel tells of processes only outside of containers (network namespaces)",
    ],
    [
      unansweredCall,
      Errno.EOPNOTSUPP,
      "the kernel tells of processes only outside of containers (pid and user namespaces)",
    ],
    ["socket", Errno.EMFILE, "socket: too many open files"],
  ])("without a socket, %s: %d, the reader looks in /proc, and that is said once", (...given) => {
    const [call, errno, reason] = given;
    const { events, told, log } = scene(() => new SyscallError(call, errno));
    events.listen();
    events.rest();
    events.listen();
    expect(told).toEqual([
      [true, null],
      [false, null],
      [true, null],
    ]);
    expect(log.lines).toEqual([
      `info: Looking up in /proc whether a command of facron's own did something: ${reason}`,
    ]);
  });

  needsRoot("listens to process events")("gives each thread a socket of its own", async () => {
    const { events, told } = scene();
    const others: [boolean, number | null][] = [];
    const other = { commandsAct: (...act: [boolean, number | null]) => void others.push(act) };
    events.listen();
    events.add(other); // while commands act: at once
    const [[, fd], [, otherFd]] = [told[0]!, others[0]!];
    expect(others).toEqual([[true, otherFd]]);
    expect(otherFd).not.toBe(fd);
    const { pid } = Bun.spawnSync(["true"]);
    expect(forksIn(fd!)).toContain(pid);
    expect(forksIn(otherFd!)).toContain(pid);
    events.rest();
    expect(Bun.spawnSync(["true"]).success).toBe(true);
    expect([forksIn(fd!), forksIn(otherFd!)]).toEqual([[], []]);
    expect(others).toEqual([
      [true, otherFd],
      [false, otherFd],
    ]);
    events.remove(other);
    expect(existsSync(`/proc/self/fd/${otherFd}`)).toBe(false);
    events.listen();
    expect(others.length).toBe(2);
    expect(told.length).toBe(3);
  });

  test("a thread that comes while nothing acts is told when something does", () => {
    const { events, log } = scene(() => new SyscallError("socket", Errno.EMFILE));
    const others: [boolean, number | null][] = [];
    events.add({ commandsAct: (...act) => void others.push(act) });
    expect(others).toEqual([]);
    events.listen();
    expect(others).toEqual([[true, null]]);
    expect(log.lines.length).toBe(1); // for both threads
  });

  test("a socket that fails later is given up", () => {
    const { read, write } = openPipe();
    write.close();
    const notASocket = new ProcConnector(new Fd(read.number), true);
    const { events, told, log } = scene(() => notASocket);
    events.listen();
    events.listen();
    expect(told).toEqual([
      [true, null],
      [true, null],
    ]);
    expect(log.lines.length).toBe(1);
    expect(log.lines[0]).toStartWith("warn: Cannot follow processes any more: setsockopt");
    read.close();
  });
});
