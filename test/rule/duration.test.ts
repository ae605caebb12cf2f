/** Durations as people write them. */
import { expect, test } from "bun:test";
import { durationText, parseDuration } from "../../src/rule/duration.ts";
import { parsePollInterval } from "../../src/rule/poll-limits.ts";

const written: readonly [text: string, milliseconds: number][] = [
  ["1ms", 1],
  ["0s", 0],
  ["250ms", 250],
  ["2s", 2_000],
  ["0.5s", 500],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["1h2m3s4ms", 3_723_004],
  ["24h", 86_400_000],
];

for (const [text, milliseconds] of written)
  test(`parseDuration takes ${text} for ${milliseconds} ms`, () => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

const refused: readonly [text: string, why: RegExp][] = [
  ["", /no duration/],
  ["s", /no duration/],
  ["2 s", /no duration/],
  ["-2s", /no duration/],
  ["2sec", /no duration/],
  ["1e3ms", /no duration/],
  [".5s", /no duration/],
  ["2", /has no unit; write "2s" or "2ms"/],
  ["0.5", /has no unit/],
  ["1s1m", /wrong order/],
  ["1s1s", /wrong order/],
  ["1441m", /too long; "24h" is the most/],
];

for (const [text, why] of refused)
  test(`parseDuration refuses "${text}"`, () => {
    expect(parseDuration(text)).toMatch(why);
  });

test("durationText writes what parseDuration reads", () => {
  for (const [, milliseconds] of written) {
    const text = durationText(milliseconds);
    expect(parseDuration(text)).toBe(milliseconds);
  }
  expect(durationText(90_000)).toBe("1m30s");
  expect(durationText(0)).toBe("0s");
});

test("parsePollInterval refuses what would be a loop", () => {
  expect(parsePollInterval("10ms")).toBe(10);
  expect(parsePollInterval("9.9ms")).toMatch(/too short; "10ms" is the least/);
  expect(parsePollInterval("0s")).toMatch(/too short/);
});
