import { expect, test } from "bun:test";
import { Histogram } from "../../src/action/histogram.ts";
import { randomNumbers, seedOf } from "../config/random.ts";

const shares = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 1];

/** By definition: the smallest that so many of all do not exceed. */
function exact(durations: readonly number[], share: number): number {
  const sorted = durations.toSorted((a, b) => a - b);
  return sorted[Math.max(Math.ceil(sorted.length * share), 1) - 1]!;
}

function histogramOf(durations: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const one of durations) histogram.add(one);
  return histogram;
}

test("percentiles are at most a tenth off, for durations of every size and mixture", () => {
  const random = randomNumbers(seedOf("histogram"));
  for (let round = 0; round < 300; round++) {
    const decades = 1 + random(11);
    const count = 1 + random(400);
    const durations = Array.from(
      { length: count },
      () => 0.01 * 10 ** ((random(1_000_000) / 1_000_000) * decades),
    );
    const histogram = histogramOf(durations);
    for (const share of shares) {
      const ratio = histogram.percentile(share)! / exact(durations, share);
      expect(ratio).toBeWithin(0.9, 1.1);
    }
  }
});

test("each class is told as itself: a duration alone is its own percentile", () => {
  for (let ms = 0.01; ms < 1e10; ms *= 1.0321) {
    const histogram = histogramOf([ms]);
    for (const share of shares) expect(histogram.percentile(share)! / ms).toBeWithin(0.9, 1.1);
  }
});

test("what is too short or negative counts as 0.01 ms, what is too long as the longest", () => {
  expect(histogramOf([-1000, 0, 1e-9]).percentile(1)).toBe(0.01);
  const year = 365 * 24 * 3600 * 1000;
  expect(histogramOf([1e300]).percentile(0.5)).toBeGreaterThan(year);
});

test("nothing is told of nothing, and every one is counted", () => {
  const histogram = new Histogram();
  expect(histogram.percentile(0.5)).toBeNull();
  for (let i = 0; i < 1000; i++) histogram.add(i);
  expect(histogram.total).toBe(1000);
});
