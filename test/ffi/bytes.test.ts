/** Byte strings and back. */
import { describe, expect, test } from "bun:test";
import {
  bytesEqual,
  cString,
  fromLatin1,
  latin1,
  lossyText,
  pathBytes,
  pathText,
  textOrNull,
  utf8,
} from "../../ffi/bytes.ts";

const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);

describe("bytes", () => {
  test("cString adds one NUL and leaves its argument alone", () => {
    const bytes = utf8("a/b");
    expect([...cString(bytes)]).toEqual([0x61, 0x2f, 0x62, 0]);
    expect(bytes).toHaveLength(3);
  });

  test("textOrNull gives text for UTF-8 and null for anything else", () => {
    expect(textOrNull(utf8("grüße 🗀"))).toBe("grüße 🗀");
    expect(textOrNull(Uint8Array.of(0xc3, 0x28))).toBe(null);
    expect(textOrNull(Uint8Array.of(0xed, 0xa0, 0x80))).toBe(null); // half of a surrogate pair
    expect(textOrNull(Uint8Array.of(0xc0, 0xaf))).toBe(null); // an over-long "/"
  });

  test("textOrNull keeps a byte order mark: it is part of the name", () => {
    expect(textOrNull(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\uFEFFa");
    expect(lossyText(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe("\uFEFFa");
  });

  test("lossyText shows what is not UTF-8 as U+FFFD", () => {
    expect(lossyText(Uint8Array.of(0x61, 0xff, 0x62))).toBe("a\uFFFDb");
  });

  test("latin1 and fromLatin1 are each other's way back, for every byte and in a view", () => {
    expect(fromLatin1(latin1(every))).toEqual(every);
    expect(latin1(every.subarray(0x80, 0xa0))).toBe(latin1(every).slice(0x80, 0xa0));
    expect(latin1(new Uint8Array(0))).toBe("");
  });

  test("bytesEqual compares every byte and the length", () => {
    expect(bytesEqual(every, every.slice())).toBe(true);
    expect(bytesEqual(every, every.slice(0, 255))).toBe(false);
    expect(bytesEqual(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(bytesEqual(new Uint8Array(0), new Uint8Array(0))).toBe(true);
  });

  test("pathText keeps each byte that is no character, and pathBytes finds it", () => {
    const odd = [
      every,
      Uint8Array.of(0x2f, 0xe9, 0x2f, 0xc3, 0xa9, 0xff),
      Uint8Array.of(0xf0, 0x9f, 0x97, 0x80, 0xf0, 0x9f, 0x97), // a character, and most of another
      Uint8Array.of(0xed, 0xb3, 0xbf), // U+DCFF as UTF-8 would have it, if it could
      utf8("grüße 🗀 \ufffd"),
    ];
    for (const bytes of odd) expect(pathBytes(pathText(bytes))).toEqual(bytes);
    expect(pathText(Uint8Array.of(0x61, 0xff, 0xc3, 0xa9))).toBe("a\udcffé");
    expect(lossyText(utf8(pathText(Uint8Array.of(0x61, 0xff))))).toBe("a\ufffd");
  });

  test("pathBytes gives U+FFFD for what can have come from no bytes", () => {
    expect(pathBytes("a\ud800b\udc41")).toEqual(utf8("a\ufffdb\ufffd"));
  });
});
