/** Messages of the process events connector, written by hand and as Linux 6.18 sent them. */
import { describe, expect, test } from "bun:test";
import { procEvents } from "../../../ffi/proc-connector/abi.ts";
import { ProcEventReader } from "../../../ffi/proc-connector/reader.ts";

const { PROC_EVENT_NONE, PROC_EVENT_FORK, PROC_EVENT_EXEC, PROC_EVENT_EXIT } = procEvents;

/** As recv(2) gave it: a fork of 4817 into 4859. */
const fork =
  "4c000000030000003b02000000000000" + // nlmsghdr: 76 bytes, NLMSG_DONE, seq, pid 0
  "01000000010000003b0200000000000028000000" + // cn_msg: CN_IDX_PROC, CN_VAL_PROC, seq, ack, 40 bytes
  "0100000000000000ed6cbb85a9290000" + // what, cpu, time
  "d1120000d1120000fb120000fb1200000000000000000000";
const exec = `4c000000030000007502000000000000010000000100000075020000000000002800000002000000030000009ccdbd85a9290000fb120000fb120000${"00".repeat(16)}`;
const exit =
  "4c00000003000000760200000000000001000000010000007602000000000000280000000000008003000000bcfdc485a9290000fb120000fb1200000000000011000000d1120000d1120000";
/** To a message with 4816 as its `ack`: EPERM. */
const answer =
  "4c0000000300000038020000000000000100000001000000" +
  "38020000d11200002800000000000000ffffffffcd07af85a9290000" +
  `01000000${"00".repeat(20)}`;

function reader(hex: string): ProcEventReader {
  const bytes = new Uint8Array(1024);
  bytes.set(Uint8Array.fromHex(hex));
  const events = new ProcEventReader(bytes);
  events.reset(hex.length / 2);
  return events;
}

/** The same bytes with one word changed. */
function withWord(hex: string, at: number, value: number): string {
  const bytes = Uint8Array.fromHex(hex);
  new DataView(bytes.buffer).setUint32(at, value, true);
  return bytes.toHex();
}

describe("ProcEventReader", () => {
  test("reads who forked, and into what", () => {
    const events = reader(fork);
    expect(events.next()).toBe(true);
    const { what, pid, tgid, parentTgid } = events;
    const [parent, child] = [0x12d1, 0x12fb];
    expect({ what, pid, tgid, parentTgid }).toEqual({
      ...{ what: PROC_EVENT_FORK, pid: child, tgid: child, parentTgid: parent },
    });
    expect(events.next()).toBe(false);
  });

  test("tells a new thread, and the end of one, by the pid that is not the tgid", () => {
    const [threadAt, exitAt] = [60, 52];
    const started = reader(withWord(fork, threadAt, 9));
    started.next();
    expect([started.pid, started.tgid]).toEqual([9, 0x12fb]);
    const ended = reader(withWord(exit, exitAt, 9));
    ended.next();
    expect([ended.pid, ended.tgid]).toEqual([9, 0x12fb]);
  });

  test("reads an exec and an exit: 0x80000000 is not negative", () => {
    const events = reader(exec + exit);
    events.next();
    expect([events.what, events.tgid]).toEqual([PROC_EVENT_EXEC, 0x12fb]);
    events.next();
    expect([events.what, events.pid, events.tgid]).toEqual([PROC_EVENT_EXIT, 0x12fb, 0x12fb]);
    expect(events.next()).toBe(false);
  });

  test("reads an answer: which message it is for, and its errno", () => {
    const events = reader(answer);
    events.next();
    expect([events.what, events.ack, events.error]).toEqual([PROC_EVENT_NONE, 0x12d1, 1]);
  });

  test("keeps a kind that it does not know, and nothing of the event before it", () => {
    const events = reader(fork + withWord(exec, 36, 0x200));
    events.next();
    events.next();
    expect([events.what, events.pid, events.tgid, events.parentTgid]).toEqual([0x200, 0, 0, 0]);
  });

  test("steps over what is of another connector, or is no message of one", () => {
    const [typeAt, idxAt] = [4, 16];
    const events = reader(withWord(fork, idxAt, 3) + withWord(fork, typeAt, 2) + exit);
    events.next();
    expect(events.what).toBe(PROC_EVENT_EXIT);
  });

  test("refuses bytes that cannot be", () => {
    const [lengthAt, dataLengthAt] = [0, 32];
    for (const hex of [
      fork.slice(0, 20),
      fork.slice(0, -8),
      withWord(fork, lengthAt, 15),
      withWord(fork, lengthAt, 77),
      withWord(fork, lengthAt, 35),
      withWord(fork, dataLengthAt, 41),
      withWord(fork, dataLengthAt, 31),
      withWord(exit, dataLengthAt, 20),
    ]) {
      expect(() => reader(hex).next()).toThrow(RangeError);
    }
  });
});
