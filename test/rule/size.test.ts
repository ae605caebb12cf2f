/** Sizes as people write them. */
import { describe, expect, test } from "bun:test";
import { sizeOf, sizeText } from "../../src/rule/size.ts";

describe("sizeOf", () => {
  test.each([
    ["0", 0],
    ["4096", 4096],
    ["4096B", 4096],
    ["1kB", 1000],
    ["1KB", 1000],
    ["1 kib", 1024],
    ["64MiB", 67_108_864],
    ["1.5 GB", 1_500_000_000],
    ["0.1KiB", 102],
    ["8191TiB", 8191 * 2 ** 40],
  ] as const)("reads %j", (text, bytes) => {
    expect(sizeOf(text)).toBe(bytes);
  });

  test.each([
    "",
    "MiB",
    "-1",
    "1e3",
    "1,5MB",
    "64M",
    "64Mi",
    "1 PiB",
    "1.5",
    "1.5B",
    "8193TiB",
    "0x10",
  ])("refuses %j with a sentence", (text) => {
    expect(sizeOf(text)).toEqual(expect.stringMatching(/^[A-Z].*: .+$/));
  });
});

describe("sizeText", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [1024, "1 KiB"],
    [67_108_864, "64 MiB"],
    [1_500_000_000, "1500 MB"],
    [1025, "1025 B"],
  ] as const)("writes %d", (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
    expect(sizeOf(text)).toBe(bytes);
  });
});
