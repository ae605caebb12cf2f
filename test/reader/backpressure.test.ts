/** What stops the reading, what the main thread is told of it, and how often the log is. */
import { expect, test } from "bun:test";
import { Backpressure } from "../../src/reader/backpressure.ts";
import { sharedBytes } from "../../src/reader/lookout.ts";
import { sharedCounters } from "../../src/reader/plan.ts";

function backpressure() {
  const counters = new Int32Array(new SharedArrayBuffer(sharedBytes));
  const stdout = { backlogBytes: 0 };
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (text: string) => void warnings.push(text), error: () => {} };
  const limits = { backlogBytesMax: 1 << 20, triggersWaitingMax: 10 };
  const under = new Backpressure({ ...limits, stdout, counters, log });
  return { under, counters, stdout, warnings };
}

test("there is room below both limits, and the main thread need not say so", () => {
  const { under, counters, stdout, warnings } = backpressure();
  stdout.backlogBytes = (1 << 20) - 1;
  counters[sharedCounters.triggersWaiting] = 9;
  expect(under.hasRoom()).toBe(true);
  expect(counters[sharedCounters.readerWaits]).toBe(0);
  expect(warnings).toEqual([]);
});

test("lines that nobody reads stop the reading; it is poll(2) that ends the wait", () => {
  const { under, counters, stdout, warnings } = backpressure();
  stdout.backlogBytes = 1 << 20;
  expect(under.hasRoom()).toBe(false);
  expect(counters[sharedCounters.readerWaits]).toBe(0);
  expect(warnings[0]).toContain("stdout is not read, 1 MiB of lines wait for its reader");
  stdout.backlogBytes = 0;
  expect(under.hasRoom()).toBe(true);
});

test("commands that wait stop the reading, and the main thread is asked to wake the reader", () => {
  const { under, counters, warnings } = backpressure();
  counters[sharedCounters.triggersWaiting] = 10;
  expect(under.hasRoom()).toBe(false);
  expect(counters[sharedCounters.readerWaits]).toBe(1);
  expect(warnings[0]).toBe(
    'Reading no more events for now: as many events wait for commands as max_queued of a rule allows, or 10 of all rules ("facron status" shows which); the kernel queues, and then loses, what happens meanwhile, for all rules',
  );
});

test("a pause is said once, however often the reading stops and goes on within a minute", () => {
  const { under, counters, warnings } = backpressure();
  for (let i = 0; i < 100; i++) {
    counters[sharedCounters.triggersWaiting] = 10;
    under.hasRoom();
    counters[sharedCounters.triggersWaiting] = 0;
    under.hasRoom();
  }
  expect(warnings).toHaveLength(1);
});
