/** The clock in microseconds. */
import { expect, test } from "bun:test";
import { nowMicroseconds } from "../../ffi/clock.ts";

test("nowMicroseconds lies between two looks at Date, to the millisecond", () => {
  const before = Date.now();
  const now = nowMicroseconds();
  const after = Date.now();
  expect(now / 1000).toBeGreaterThanOrEqual(before);
  expect(Math.floor(now / 1000)).toBeLessThanOrEqual(after);
  expect(Number.isInteger(now)).toBe(true);
});

test("nowMicroseconds tells apart what Date does not", () => {
  const parts = Array.from({ length: 1000 }, () => nowMicroseconds() % 1000);
  expect(new Set(parts).size).toBeGreaterThan(10);
});
