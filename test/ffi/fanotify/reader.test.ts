/** The two fanotify cursors over bytes written by hand. */
import { describe, expect, test } from "bun:test";
import {
  FAN_CLOSE_WRITE,
  FAN_CREATE,
  FAN_EVENT_INFO_TYPE_DFID,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_ERROR,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_EVENT_INFO_TYPE_PIDFD,
  FAN_EVENT_INFO_TYPE_RANGE,
  FAN_EPIDFD,
  FAN_NOPIDFD,
  FAN_Q_OVERFLOW,
  FAN_RENAME,
} from "../../../ffi/fanotify/abi.ts";
import { FanotifyReader, InfoReader, pidfdOf, rangeOf } from "../../../ffi/fanotify/reader.ts";
import { concat, padded, text, u16, u32, u64, u8, zeros } from "../../helpers/bytes.ts";

interface EventFields {
  readonly mask?: bigint;
  readonly pid?: number;
  readonly fd?: number;
  readonly infos?: readonly Uint8Array[];
  readonly vers?: number;
  readonly eventLen?: number;
  readonly metadataLen?: number;
  /** What a later kernel puts behind the fields that we know. */
  readonly unknownFields?: Uint8Array;
}

/** struct fanotify_event_metadata and what follows it. */
function event(fields: EventFields): Uint8Array {
  const { mask = BigInt(FAN_CREATE), pid = 42, fd = -1, infos = [], vers = 3 } = fields;
  const { unknownFields = zeros(0), metadataLen = 24 + unknownFields.length } = fields;
  const rest = concat(unknownFields, ...infos);
  const head = concat(u32(fields.eventLen ?? 24 + rest.length), u8(vers), u8(0), u16(metadataLen));
  return concat(head, u64(mask), u32(fd), u32(pid), rest);
}

interface Handle {
  readonly type: number;
  readonly bytes: Uint8Array;
}

const handle: Handle = { type: 1, bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
const fsid = concat(u32(0x1111_1111), u32(0x2222_2222));

/** fsid and struct file_handle: what `fileIdentity` gives for the same file. */
function identity({ type, bytes } = handle): Uint8Array {
  return concat(fsid, u32(bytes.length), u32(type), bytes);
}

/** An information record around `body`, padded to 4 as the kernel does it. */
function info(type: number, body: Uint8Array, len?: number): Uint8Array {
  const whole = padded(concat(zeros(4), body), 4);
  whole.set(concat(u8(type), u8(0), u16(len ?? whole.length)));
  return whole;
}

function named(type: number, name: string, about = handle): Uint8Array {
  return info(type, concat(identity(about), text(name), zeros(1)));
}

function readerOf(bytes: Uint8Array, length = bytes.length): FanotifyReader {
  const reader = new FanotifyReader(bytes);
  reader.reset(length);
  return reader;
}

/** What both cursors say of each event, in plain values. */
function read(bytes: Uint8Array, length = bytes.length) {
  return rest(readerOf(bytes, length));
}

function rest(reader: FanotifyReader) {
  const events = [];
  while (reader.next()) {
    const { mask, fd, pid } = reader;
    events.push({ mask, fd, pid, infos: infosOf(reader) });
  }
  return events;
}

function infosOf(reader: FanotifyReader) {
  const info = new InfoReader(reader);
  info.reset(reader.infoStart, reader.infoEnd);
  const infos = [];
  while (info.next()) {
    const known = info.type < 4 || info.type === 10 || info.type === 12;
    if (!known) infos.push({ type: info.type, length: info.end - info.start });
    else {
      const about = Buffer.from(reader.bytes.slice(info.identityStart, info.identityEnd));
      const name = Buffer.from(reader.bytes.slice(info.nameStart, info.nameEnd));
      infos.push({ type: info.type, about: about.toString("hex"), name: name.toString("latin1") });
    }
  }
  return infos;
}

const about = Buffer.from(identity()).toString("hex");

describe("fanotify event reader", () => {
  test("reads every field", () => {
    const bytes = event({ mask: BigInt(FAN_CLOSE_WRITE), pid: 4234, fd: -1 });
    expect(read(bytes)).toEqual([{ mask: FAN_CLOSE_WRITE, fd: -1, pid: 4234, infos: [] }]);
  });

  test("keeps mask bits that it does not know, the highest as an unsigned number", () => {
    expect(read(event({ mask: 0xc2f0_8000n }))[0]!.mask).toBe(0xc2f0_8000);
  });

  test("reads an overflow, which has no records", () => {
    const bytes = event({ mask: BigInt(FAN_Q_OVERFLOW), pid: 0 });
    expect(read(bytes)).toEqual([{ mask: FAN_Q_OVERFLOW, fd: -1, pid: 0, infos: [] }]);
  });

  test("finds nothing in a read of no bytes", () => {
    expect(read(zeros(64), 0)).toEqual([]);
  });

  test("steps over fields that a later kernel put behind the known ones", () => {
    const infos = [named(FAN_EVENT_INFO_TYPE_DFID_NAME, "a")];
    const bytes = event({ unknownFields: Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9), infos });
    expect(read(bytes)[0]!.infos).toEqual([{ type: 2, about, name: "a" }]);
  });

  test("reader does not take the next event for the previous name", () => {
    const full = info(FAN_EVENT_INFO_TYPE_DFID_NAME, concat(identity(), text("name")));
    const bytes = concat(event({ infos: [full] }), event({ pid: 43 }));
    expect(read(bytes)).toEqual([
      { mask: FAN_CREATE, fd: -1, pid: 42, infos: [{ type: 2, about, name: "name" }] },
      { mask: FAN_CREATE, fd: -1, pid: 43, infos: [] },
    ]);
  });

  test("reads no further than the read went, whatever lies behind it in the buffer", () => {
    const first = event({ pid: 1 });
    expect(read(concat(first, event({ pid: 2 })), first.length).map(({ pid }) => pid)).toEqual([1]);
  });

  test("starts anew on a second read into the same buffer", () => {
    const buffer = zeros(512);
    const reader = new FanotifyReader(buffer);
    const first = concat(event({ infos: [named(2, "a long name indeed")] }), event({ pid: 2 }));
    buffer.set(first);
    reader.reset(first.length);
    expect(rest(reader)).toHaveLength(2);
    const second = event({ pid: 3, infos: [named(2, "b")] });
    buffer.set(second);
    reader.reset(second.length);
    expect(rest(reader)).toEqual([
      { mask: FAN_CREATE, fd: -1, pid: 3, infos: [{ type: 2, about, name: "b" }] },
    ]);
    expect(reader.next()).toBe(false);
  });

  test("works on a view into a larger buffer", () => {
    const bytes = event({ infos: [named(2, "view")] });
    const larger = concat(zeros(32), bytes, zeros(32));
    const [read1] = read(larger.subarray(32, 32 + bytes.length));
    expect(read1!.infos).toEqual([{ type: 2, about, name: "view" }]);
  });
});

describe("fanotify event reader refuses", () => {
  test.each([1, 4, 23])("metadata of %d bytes", (length) => {
    expect(() => read(event({}), length)).toThrow(
      `fanotify event at byte 0 says it is 24 bytes long, but the bytes end at ${length}`,
    );
  });

  test.each([0, 2, 4, 255])("metadata version %d", (vers) => {
    expect(() => read(event({ vers }))).toThrow(`fanotify metadata version is ${vers}, not 3`);
  });

  test.each([0, 8, 20, 25, 28, 0x7fff_fffc, 0xffff_fffc])("an event_len of %d", (eventLen) => {
    expect(() => read(event({ eventLen }))).toThrow(RangeError);
  });

  test.each([0, 8, 23, 28, 0xffff])("a metadata_len of %d in an event of 24", (metadataLen) => {
    expect(() => read(event({ metadataLen }))).toThrow("fanotify event at byte 0");
  });

  test("a metadata_len that leaves the records unaligned", () => {
    const infos = [named(FAN_EVENT_INFO_TYPE_DFID_NAME, "a")];
    expect(() => read(event({ metadataLen: 26, infos }))).toThrow("fanotify event at byte 0");
  });

  test("an event whose records are cut, after the one before was read", () => {
    const bytes = concat(event({}), event({ infos: [named(2, "a")] }));
    const reader = readerOf(bytes, bytes.length - 4);
    expect(reader.next()).toBe(true);
    expect(() => reader.next()).toThrow("fanotify event at byte 24 says it is 56 bytes long");
  });
});

describe("fanotify information reader", () => {
  test("reads handle and name of a directory entry", () => {
    const infos = [named(FAN_EVENT_INFO_TYPE_DFID_NAME, "a.csv")];
    expect(read(event({ infos }))[0]!.infos).toEqual([{ type: 2, about, name: "a.csv" }]);
  });

  test.each([FAN_EVENT_INFO_TYPE_FID, FAN_EVENT_INFO_TYPE_DFID])("type %d has no name", (type) => {
    const bytes = event({ infos: [info(type, identity())] });
    expect(read(bytes)[0]!.infos).toEqual([{ type, about, name: "" }]);
  });

  test("does not take the padding behind a handle for a name", () => {
    const odd = { type: 0x81, bytes: Uint8Array.of(1, 2, 3, 4, 5) };
    const about = Buffer.from(identity(odd)).toString("hex");
    const infos = [info(FAN_EVENT_INFO_TYPE_FID, concat(identity(odd), Uint8Array.of(7, 7, 7)))];
    expect(read(event({ infos }))[0]!.infos).toEqual([{ type: 1, about, name: "" }]);
  });

  test("reads old name, new name and target of a rename", () => {
    const target = { type: 1, bytes: Uint8Array.of(9, 9, 9, 9) };
    const infos = [
      named(FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, "old"),
      named(FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, "the new name"),
      info(FAN_EVENT_INFO_TYPE_FID, identity(target)),
    ];
    expect(read(event({ mask: BigInt(FAN_RENAME), infos }))[0]!.infos).toEqual([
      { type: 10, about, name: "old" },
      { type: 12, about, name: "the new name" },
      { type: 1, about: Buffer.from(identity(target)).toString("hex"), name: "" },
    ]);
  });

  test("steps over types that it does not know", () => {
    const infos = [
      info(FAN_EVENT_INFO_TYPE_PIDFD, u32(-3)),
      info(99, zeros(40)),
      info(FAN_EVENT_INFO_TYPE_ERROR, concat(u32(5), u32(1))),
      info(200, zeros(0)),
      named(FAN_EVENT_INFO_TYPE_DFID_NAME, "after"),
    ];
    expect(read(event({ infos }))[0]!.infos).toEqual([
      { type: FAN_EVENT_INFO_TYPE_PIDFD, length: 8 },
      { type: 99, length: 44 },
      { type: FAN_EVENT_INFO_TYPE_ERROR, length: 12 },
      { type: 200, length: 4 },
      { type: FAN_EVENT_INFO_TYPE_DFID_NAME, about, name: "after" },
    ]);
  });

  test.each([
    ["a descriptor", 17],
    ["the process had ended", FAN_NOPIDFD],
    ["it could not be opened", FAN_EPIDFD],
  ])("gives the pidfd behind the handles: %s", (_, pidfd) => {
    const handles = [named(FAN_EVENT_INFO_TYPE_DFID_NAME, "a"), info(1, identity())];
    const record = info(FAN_EVENT_INFO_TYPE_PIDFD, u32(pidfd));
    const bytes = concat(event({ infos: [...handles, record] }), event({ infos: handles }));
    const events = readerOf(bytes);
    const records = new InfoReader(events);
    const found = [];
    while (events.next()) found.push(pidfdOf(events, records));
    expect(found).toEqual([pidfd, FAN_NOPIDFD]);
  });

  test("reads a name without NUL that fills its field", () => {
    const infos = [
      info(FAN_EVENT_INFO_TYPE_DFID_NAME, concat(identity(), text("full"))),
      named(FAN_EVENT_INFO_TYPE_DFID_NAME, "next"),
    ];
    const names = read(event({ infos }))[0]!.infos.map((record) => "name" in record && record.name);
    expect(names).toEqual(["full", "next"]);
  });

  test("reads an empty name where the name is missing", () => {
    const infos = [info(FAN_EVENT_INFO_TYPE_DFID_NAME, identity())];
    expect(read(event({ infos }))[0]!.infos).toEqual([{ type: 2, about, name: "" }]);
  });

  test("reads a name of 255 bytes, and bytes that are not UTF-8", () => {
    const name = concat(Uint8Array.of(0xff), text("n".repeat(254)), zeros(1));
    const infos = [info(FAN_EVENT_INFO_TYPE_DFID_NAME, concat(identity(), name))];
    expect(read(event({ infos }))[0]!.infos).toEqual([
      { type: 2, about, name: `\xff${"n".repeat(254)}` },
    ]);
  });

  test("reads handles of 0 and of 128 bytes, the least and the most", () => {
    for (const size of [0, 128]) {
      const odd = { type: 1, bytes: zeros(size).fill(5) };
      const infos = [named(FAN_EVENT_INFO_TYPE_DFID_NAME, "a", odd)];
      const about = Buffer.from(identity(odd)).toString("hex");
      expect(read(event({ infos }))[0]!.infos).toEqual([{ type: 2, about, name: "a" }]);
    }
  });

  test("gives the range of a file, also beyond 2^32, and none for an event without", () => {
    const range = (offset: bigint, count: bigint) =>
      info(FAN_EVENT_INFO_TYPE_RANGE, concat(zeros(4), u64(offset), u64(count)));
    const bytes = concat(
      event({ infos: [range(0n, 10n)] }),
      event({ infos: [range((1n << 40n) + 0xffff_f000n, 4096n)] }),
      event({}),
    );
    const events = new FanotifyReader(bytes);
    const records = new InfoReader(events);
    events.reset(bytes.length);
    const found = [];
    while (events.next()) found.push(rangeOf(events, records));
    expect(found).toEqual([
      { offset: 0, count: 10 },
      { offset: 2 ** 40 + 0xffff_f000, count: 4096 },
      null,
    ]);
  });

  test("finds nothing in an event without records", () => {
    expect(read(event({}))[0]!.infos).toEqual([]);
  });
});

describe("fanotify information reader refuses", () => {
  const good = named(FAN_EVENT_INFO_TYPE_DFID_NAME, "a");

  test.each([0, 1, 3])("a len of %d", (len) => {
    const infos = [info(FAN_EVENT_INFO_TYPE_FID, identity(), len)];
    expect(() => read(event({ infos }))).toThrow(RangeError);
  });

  test.each([5, 6, 33])("a len of %d, which is no multiple of 4", (len) => {
    const infos = [info(FAN_EVENT_INFO_TYPE_DFID_NAME, concat(identity(), zeros(20)), len)];
    expect(() => read(event({ infos }))).toThrow(RangeError);
  });

  test.each([good.length + 4, 0xfffc])("a len of %d that is over-long", (len) => {
    const infos = [info(FAN_EVENT_INFO_TYPE_DFID_NAME, concat(identity(), text("a")), len)];
    expect(() => read(event({ infos }))).toThrow(
      `fanotify info record at byte 24 says it is ${len} bytes long, but the bytes end at 56`,
    );
  });

  test("a record that is over-long, though the next event's bytes would do", () => {
    const infos = [info(FAN_EVENT_INFO_TYPE_DFID_NAME, concat(identity(), text("a")), 44)];
    expect(() => read(concat(event({ infos }), event({})))).toThrow("the bytes end at 56");
  });

  test.each([4, 8, 16])("a record of %d bytes where a handle must be", (len) => {
    const infos = [info(FAN_EVENT_INFO_TYPE_FID, zeros(len - 4))];
    expect(() => read(event({ infos }))).toThrow("fanotify file handle at byte 24");
  });

  test("a record of 20 bytes where a range must be", () => {
    const bytes = event({ infos: [info(FAN_EVENT_INFO_TYPE_RANGE, zeros(16))] });
    expect(() => read(bytes)).toThrow("fanotify range at byte 24 says it is 20 bytes long");
  });

  test("a record of 4 bytes where a pidfd must be", () => {
    const infos = [info(FAN_EVENT_INFO_TYPE_PIDFD, zeros(0))];
    expect(() => read(concat(event({ infos }), event({})))).toThrow(
      "fanotify pidfd at byte 24 says it is 4 bytes long, but the bytes end at 28",
    );
  });

  test.each([9, 16, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])("handle_bytes of %d", (handleBytes) => {
    const body = concat(fsid, u32(handleBytes), u32(1), handle.bytes);
    const infos = [info(FAN_EVENT_INFO_TYPE_FID, body)];
    expect(() => read(concat(event({ infos }), event({})))).toThrow(
      "fanotify file handle at byte 24",
    );
  });
});
