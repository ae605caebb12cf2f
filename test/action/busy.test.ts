import { describe, expect, test } from "bun:test";
import { BusyKeys } from "../../src/action/busy.ts";
import { MemoryLog } from "./support.ts";

/** A reader that answers when the test says so. */
function busyKeys() {
  const log = new MemoryLog();
  const asked: ((seq: number) => void)[] = [];
  const busy = new BusyKeys((then) => asked.push(then), log);
  return { busy, log, asked, answer: (seq: number) => asked.shift()!(seq) };
}

describe("BusyKeys", () => {
  test("pass over what comes until the reader has read what the command did", () => {
    const { busy, answer } = busyKeys();
    expect(busy.passesOver("a", "rule", 1)).toBe(false);
    busy.begin("a", "rule");
    expect(busy.passesOver("a", "rule", 2)).toBe(true);
    busy.end("a", "rule");
    expect(busy.passesOver("a", "rule", 3)).toBe(true);
    answer(4);
    expect(busy.passesOver("a", "rule", 4)).toBe(true); // read in time, taken from a queue later
    expect(busy.passesOver("a", "rule", 5)).toBe(false);
  });

  test("do not hinder each other", () => {
    const { busy } = busyKeys();
    busy.begin("a", "rule");
    expect(busy.passesOver("b", "rule", 2)).toBe(false);
  });

  test("say once for each command how much they passed over", () => {
    const { busy, log, answer } = busyKeys();
    for (const count of [3, 1, 0]) {
      busy.begin("a", "rule");
      for (let i = 0; i < count; i++) busy.passesOver("a", "rule", 0);
      busy.end("a", "rule");
      answer(10);
    }
    expect(log.lines).toEqual([
      'info: rule "a": passed over 3 events while its command ran',
      'info: rule "a": passed over 1 event while its command ran',
    ]);
  });

  test("say what was still queued at the answer before the next command", () => {
    const { busy, log, answer } = busyKeys();
    busy.begin("a", "rule");
    busy.end("a", "rule");
    answer(10);
    busy.passesOver("a", "rule", 9);
    expect(log.lines).toEqual([]);
    busy.begin("a", "rule");
    expect(log.lines).toEqual(['info: rule "a": passed over 1 event while its command ran']);
  });

  test("are free at once after a command that could not be started", () => {
    const { busy, asked } = busyKeys();
    busy.begin("a", "rule");
    busy.cancel("a", "rule");
    expect(busy.passesOver("a", "rule", 1)).toBe(false);
    expect(asked).toEqual([]);
  });
});
