/** The socket that tells of processes, as the main thread has it: opened once, and its lack is said once. */
import { describe, expect, test } from "bun:test";
import { Errno, SyscallError } from "../../ffi/errno.ts";
import { ProcConnector, unansweredCall } from "../../ffi/proc-connector/calls.ts";
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
