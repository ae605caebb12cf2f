import { describe, expect, test } from "bun:test";
import { BusyRules } from "../../src/action/busy.ts";
import { MemoryLog } from "./support.ts";

/** A reader that answers when the test says so. */
function busyRules() {
  const log = new MemoryLog();
  const asked: ((seq: number) => void)[] = [];
  const busy = new BusyRules((then) => asked.push(then), log);
  return { busy, log, asked, answer: (seq: number) => asked.shift()!(seq) };
}

describe("BusyRules", () => {
  test("pass over what comes until the reader has read what the command did", () => {
    const { busy, answer } = busyRules();
    expect(busy.passesOver("a", 1)).toBe(false);
    busy.begin("a");
    expect(busy.passesOver("a", 2)).toBe(true);
    busy.end("a");
    expect(busy.passesOver("a", 3)).toBe(true);
    answer(4);
    expect(busy.passesOver("a", 4)).toBe(true); // read in time, taken from a queue later
    expect(busy.passesOver("a", 5)).toBe(false);
  });

  test("do not hinder each other", () => {
    const { busy } = busyRules();
    busy.begin("a");
    expect(busy.passesOver("b", 2)).toBe(false);
  });

  test("say once for each command how much they passed over", () => {
    const { busy, log, answer } = busyRules();
    for (const count of [3, 1, 0]) {
      busy.begin("a");
      for (let i = 0; i < count; i++) busy.passesOver("a", 0);
      busy.end("a");
      answer(10);
    }
    expect(log.lines).toEqual([
      'info: rule "a": passed over 3 events while its command ran',
      'info: rule "a": passed over 1 event while its command ran',
    ]);
  });

  test("say what was still queued at the answer before the next command", () => {
    const { busy, log, answer } = busyRules();
    busy.begin("a");
    busy.end("a");
    answer(10);
    busy.passesOver("a", 9);
    expect(log.lines).toEqual([]);
    busy.begin("a");
    expect(log.lines).toEqual(['info: rule "a": passed over 1 event while its command ran']);
  });

  test("are free at once after a command that could not be started", () => {
    const { busy, asked } = busyRules();
    busy.begin("a");
    busy.cancel("a");
    expect(busy.passesOver("a", 1)).toBe(false);
    expect(asked).toEqual([]);
  });
});
