/** Names as the inside of a JSON string: what any JSON reader gets back is the name. */
import { describe, expect, test } from "bun:test";
import { lossyText, textOrNull, utf8 } from "../../ffi/bytes.ts";
import { escaped, escapedBytesMax, escapeInto, wasNotUtf8 } from "../../src/output/json-text.ts";
import { randomBytes, seededRandom, type Random } from "../contract/random.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a JSON reader makes of the escaped bytes. @throws {SyntaxError} if they are no JSON string */
function readBack(bytes: Uint8Array): string {
  return JSON.parse(`"${decoder.decode(escaped(bytes).json)}"`);
}

function jsonText(bytes: Uint8Array): string {
  return lossyText(escaped(bytes).json);
}

describe("escaped", () => {
  test("leaves printable ASCII as it is", () => {
    const printable = String.fromCharCode(...Array.from({ length: 0x5f }, (_, i) => 0x20 + i));
    const plain = printable.replace(/["\\]/g, "");
    expect(jsonText(utf8(plain))).toBe(plain);
  });

  test("gives each control character the escape that JSON.stringify gives it", () => {
    for (let code = 0; code < 0x20; code++) {
      const char = String.fromCharCode(code);
      expect(`"${jsonText(utf8(char))}"`).toBe(JSON.stringify(char));
    }
  });

  test.each([
    ["a quote", '"', '\\"'],
    ["a backslash", "\\", "\\\\"],
    ["a slash, which needs no escape", "/", "/"],
    ["DEL, which needs no escape", "\x7f", "\x7f"],
    ["nothing", "", ""],
  ])("has %s right", (_, text, json) => {
    expect(jsonText(utf8(text))).toBe(json);
  });

  test.each([0x00, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff])(
    "keeps the first and last code point of each length: %d",
    (code) => {
      const text = `a${String.fromCodePoint(code)}b`;
      expect(escaped(utf8(text)).isUtf8).toBe(true);
      expect(readBack(utf8(text))).toBe(text);
    },
  );

  test("keeps what is next to the surrogates, a byte order mark and line separators", () => {
    const text = "\ud7ff\ue000\ufeff\u2028\u2029\ufffd";
    expect(escaped(utf8(text))).toEqual({ json: utf8(text), isUtf8: true });
  });

  test("knows a real U+FFFD from a replaced byte", () => {
    expect(escaped(utf8("\ufffd")).isUtf8).toBe(true);
    expect(escaped(Uint8Array.of(0xff)).isUtf8).toBe(false);
    expect(jsonText(Uint8Array.of(0xff))).toBe("\ufffd");
  });

  test.each([
    ["a tail without a lead", [0x80]],
    ["a lead without a tail", [0xc3]],
    ["a lead before ASCII", [0xc3, 0x41]],
    ["two of three bytes", [0xe2, 0x82]],
    ["two of three bytes, then ASCII", [0xe2, 0x82, 0x41]],
    ["three of four bytes", [0xf0, 0x9f, 0x98]],
    ["an overlong slash of two bytes", [0xc0, 0xaf]],
    ["an overlong slash of three bytes", [0xe0, 0x80, 0xaf]],
    ["an overlong slash of four bytes", [0xf0, 0x80, 0x80, 0xaf]],
    ["an overlong NUL", [0xc0, 0x80]],
    ["the first surrogate", [0xed, 0xa0, 0x80]],
    ["the last surrogate", [0xed, 0xbf, 0xbf]],
    ["the code point after U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lead that was never in use", [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ["0xFE and 0xFF", [0xfe, 0xff]],
  ])("replaces %s and says so", (_, bytes) => {
    const name = Uint8Array.of(0x61, ...bytes, 0x62);
    expect(textOrNull(name)).toBeNull();
    expect(escaped(name).isUtf8).toBe(false);
    expect(readBack(name)).toMatch(/^a\ufffd+A?b$/);
  });

  test("keeps what is whole beside what is not", () => {
    expect(jsonText(Uint8Array.of(0xff, ...utf8('é"'), 0xc3))).toBe('\ufffdé\\"\ufffd');
  });

  test("agrees with TextDecoder about every pair of bytes, and every triple after a lead", () => {
    for (let a = 0; a < 256; a++)
      for (let b = 0; b < 256; b++) {
        agrees(Uint8Array.of(a, b));
        if (a >= 0xe0) agrees(Uint8Array.of(a, b, 0x80), Uint8Array.of(a, b, 0x80, 0x80));
      }
  });

  test("agrees with TextDecoder about 100,000 random byte strings", () => {
    const random = seededRandom();
    for (let i = 0; i < 100_000; i++) agrees(randomName(random));
  });
});

describe("escapeInto", () => {
  test("writes the range it is given, behind what is there, and nothing else", () => {
    const to = new Uint8Array(20).fill(0x2e);
    const end = escapeInto(to, 2, utf8('xx"\n\u00e9yy'), 2, 6);
    expect(lossyText(to)).toBe('..\\"\\n\u00e9............'.slice(0, 19));
    expect(end).toBe(8);
  });

  test("does not look behind the end of the range for the tail of a sequence", () => {
    const euro = utf8("€");
    const end = escapeInto(new Uint8Array(20), 0, euro, 0, 2);
    expect({ end, wasNotUtf8 }).toEqual({ end: 6, wasNotUtf8: true });
  });

  test("forgets what the range before was", () => {
    escapeInto(new Uint8Array(8), 0, Uint8Array.of(0xff), 0, 1);
    escapeInto(new Uint8Array(8), 0, utf8("a"), 0, 1);
    expect(wasNotUtf8).toBe(false);
  });

  test("never needs more room than escapedBytesMax times the bytes", () => {
    for (let byte = 0; byte < 256; byte++) {
      const { json } = escaped(Uint8Array.of(byte));
      expect(json.length).toBeLessThanOrEqual(escapedBytesMax);
    }
  });
});

function agrees(...names: Uint8Array[]): void {
  for (const name of names) {
    const text = textOrNull(name);
    const back = readBack(name);
    const { isUtf8 } = escaped(name);
    const isRight =
      isUtf8 === (text !== null) && (text === null ? back.includes("\ufffd") : back === text);
    if (!isRight)
      throw new Error(`${Buffer.from(name).toString("hex")} became ${JSON.stringify(back)}`);
  }
}

/** Half of them made of whole characters, so that valid ones come up too. */
function randomName(random: Random): Uint8Array {
  if (random.chance(0.5)) return randomBytes(random, random.below(24));
  const chars = Array.from({ length: random.below(12) }, () => random.pick(someChars));
  const bytes = utf8(chars.join(""));
  if (bytes.length > 0 && random.chance(0.3)) bytes[random.below(bytes.length)] = random.below(256);
  return bytes;
}

const someChars = [
  "a",
  "/",
  '"',
  "\\",
  "\n",
  "\x00",
  "\x1f",
  "\x7f",
  "é",
  "€",
  "\uffff",
  "😀",
  "\u{10ffff}",
];
