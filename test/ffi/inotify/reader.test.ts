/** The inotify cursor over bytes written by hand. */
import { describe, expect, test } from "bun:test";
import {
  IN_CREATE,
  IN_ISDIR,
  IN_MODIFY,
  IN_ONESHOT,
  IN_Q_OVERFLOW,
} from "../../../ffi/inotify/abi.ts";
import { InotifyReader } from "../../../ffi/inotify/reader.ts";
import { concat, padded, text, u32, zeros } from "../../helpers/bytes.ts";

interface Fields {
  readonly wd?: number;
  readonly mask?: number;
  readonly cookie?: number;
  readonly len?: number;
  readonly name?: Uint8Array;
}

/** struct inotify_event; the name is padded as the kernel does it, to 16 bytes with one NUL at least. */
function record({
  wd = 1,
  mask = IN_CREATE,
  cookie = 0,
  name = zeros(0),
  len,
}: Fields): Uint8Array {
  const field = name.length === 0 ? name : padded(concat(name, zeros(1)), 16);
  return concat(u32(wd), u32(mask), u32(cookie), u32(len ?? field.length), field);
}

/** What the cursor says of each record, in plain values. */
function read(bytes: Uint8Array, length = bytes.length) {
  const reader = new InotifyReader(bytes);
  reader.reset(length);
  return rest(reader);
}

function rest(reader: InotifyReader) {
  const records = [];
  while (reader.next()) {
    const { wd, mask, cookie } = reader;
    const name = Buffer.from(reader.bytes.slice(reader.nameStart, reader.nameEnd)).toString(
      "latin1",
    );
    records.push({ wd, mask, cookie, name });
  }
  return records;
}

describe("inotify reader", () => {
  test("reads every field", () => {
    const bytes = record({ wd: 7, mask: IN_CREATE | IN_ISDIR, cookie: 99, name: text("a.csv") });
    expect(read(bytes)).toEqual([{ wd: 7, mask: 0x4000_0100, cookie: 99, name: "a.csv" }]);
  });

  test("reads a record without a name", () => {
    const bytes = record({ wd: 3, mask: IN_MODIFY });
    expect(read(bytes)).toEqual([{ wd: 3, mask: IN_MODIFY, cookie: 0, name: "" }]);
  });

  test("reads the wd of an overflow as -1", () => {
    const bytes = record({ wd: -1, mask: IN_Q_OVERFLOW });
    expect(read(bytes)).toEqual([{ wd: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: "" }]);
  });

  test("keeps mask bits that it does not know, the highest as an unsigned number", () => {
    const bytes = record({ mask: 0x8ab0_1000, cookie: 0xffff_fffe });
    expect(read(bytes)).toEqual([{ wd: 1, mask: 0x8ab0_1000, cookie: 0xffff_fffe, name: "" }]);
    expect(read(record({ mask: IN_ONESHOT }))[0]!.mask).toBe(IN_ONESHOT);
  });

  test("reads several records from one buffer", () => {
    const bytes = concat(
      record({ wd: 1, name: text("first") }),
      record({ wd: 2 }),
      record({ wd: 3, name: text("a name that is longer than sixteen bytes") }),
    );
    expect(read(bytes).map(({ wd, name }) => [wd, name])).toEqual([
      [1, "first"],
      [2, ""],
      [3, "a name that is longer than sixteen bytes"],
    ]);
  });

  test("reader does not take the next event for the previous name", () => {
    const unpadded = concat(u32(1), u32(IN_CREATE), u32(0), u32(4), text("full"));
    const bytes = concat(unpadded, record({ wd: 0x6161_6161 }));
    expect(read(bytes).map(({ wd, name }) => [wd, name])).toEqual([
      [1, "full"],
      [0x6161_6161, ""],
    ]);
  });

  test("ends a name at its first NUL and not at the padding's end", () => {
    const bytes = record({ len: 16 });
    const stale = concat(bytes, text("ab"), zeros(1), text("left over bytes").slice(0, 13));
    expect(read(stale)[0]!.name).toBe("ab");
  });

  test("reads a name of 255 bytes that fill the field with one NUL", () => {
    const name = text("n".repeat(255));
    expect(read(record({ name }))[0]!.name).toBe("n".repeat(255));
  });

  test("keeps bytes of a name that are not UTF-8", () => {
    expect(read(record({ name: Uint8Array.of(0xff, 0x61, 0xfe) }))[0]!.name).toBe("\xffa\xfe");
  });

  test("finds nothing in a read of no bytes", () => {
    expect(read(new Uint8Array(64), 0)).toEqual([]);
  });

  test("reads no further than the read went, whatever lies behind it in the buffer", () => {
    const first = record({ wd: 1 });
    expect(read(concat(first, record({ wd: 2 })), first.length).map(({ wd }) => wd)).toEqual([1]);
  });

  test("starts anew on a second read into the same buffer", () => {
    const buffer = new Uint8Array(256);
    const reader = new InotifyReader(buffer);
    const long = concat(record({ wd: 1, name: text("one") }), record({ wd: 2 }));
    buffer.set(long);
    reader.reset(long.length);
    expect(rest(reader)).toHaveLength(2);
    const short = record({ wd: 3 });
    buffer.set(short);
    reader.reset(short.length);
    expect(rest(reader)).toEqual([{ wd: 3, mask: IN_CREATE, cookie: 0, name: "" }]);
    expect(reader.next()).toBe(false);
  });

  test("starts anew in the middle of a read", () => {
    const bytes = concat(record({ wd: 1 }), record({ wd: 2 }));
    const reader = new InotifyReader(bytes);
    reader.reset(bytes.length);
    reader.next();
    reader.reset(bytes.length);
    expect(rest(reader).map(({ wd }) => wd)).toEqual([1, 2]);
  });

  test("works on a view into a larger buffer", () => {
    const bytes = record({ wd: 5, name: text("view") });
    const larger = concat(zeros(32), bytes, zeros(32));
    expect(read(larger.subarray(32, 32 + bytes.length))[0]).toMatchObject({ wd: 5, name: "view" });
  });
});

describe("inotify reader refuses", () => {
  const good = record({ name: text("name") });

  test.each([1, 4, 15])("a header of %d bytes", (length) => {
    expect(() => read(good, length)).toThrow(
      `inotify record at byte 0 says it is 16 bytes long, but the read ended at ${length}`,
    );
  });

  test.each([16, 20, 31])("a name that ends at byte %d of 32", (length) => {
    expect(() => read(good, length)).toThrow(
      `inotify record at byte 0 says it is 32 bytes long, but the read ended at ${length}`,
    );
  });

  test("a second record that is cut, after the first was read", () => {
    const reader = new InotifyReader(concat(good, good));
    reader.reset(good.length + 20);
    expect(reader.next()).toBe(true);
    expect(() => reader.next()).toThrow("record at byte 32 says it is 32 bytes long");
  });

  test.each([20, 0x7fff_fff0, 0x8000_0000, 0xffff_fff0])("a len of %d that is over-long", (len) => {
    expect(() => read(record({ len, name: text("name") }))).toThrow(
      `inotify record at byte 0 says it is ${16 + len} bytes long, but the read ended at 32`,
    );
  });

  test.each([1, 2, 3, 5, 15])("a len of %d, which is no multiple of 4", (len) => {
    expect(() => read(record({ len, name: text("name") }))).toThrow(RangeError);
  });
});
