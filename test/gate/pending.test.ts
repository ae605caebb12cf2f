/** What is asked of commands, answers that hold, and counts: the gate thread's memory. */
import { describe, expect, test } from "bun:test";
import { utf8 } from "../../ffi/bytes.ts";
import { unknownActor } from "../../src/rule/actor.ts";
import type { PlannedAsk } from "../../src/rule/gate.ts";
import { Answers } from "../../src/gate/answers.ts";
import { Court } from "../../src/gate/court.ts";
import { Pending, type Waiting } from "../../src/gate/pending.ts";
import { Tally } from "../../src/gate/tally.ts";
import { gate, planOf } from "./planned.ts";

const ask: PlannedAsk = {
  ...{ kind: "ask", timeoutMs: 1000, onTimeout: "allow", onError: "deny", cacheMs: 1000 },
  told: [],
};
const asking = gate({ name: "asking", decision: ask });
const court = new Court(planOf([asking]));

function question(key: string, deadline = 100) {
  return { court, gate: asking, ask, key, answerKey: key, deadline };
}

function waiting(pid: number): Waiting {
  return { eventFd: pid, events: 1, path: utf8("/a"), pid, actor: unknownActor, since: 0 };
}

describe("Pending", () => {
  test("many that ask the same wait for one run, and leave with it", () => {
    const pending = new Pending();
    const asked = pending.ask(question("k"));
    pending.join(asked, waiting(1));
    pending.join(pending.find("k")!, waiting(2));
    expect(pending.processes).toBe(2);
    expect(pending.take(asked.id)?.waiting.map(({ pid }) => pid)).toEqual([1, 2]);
    expect(pending.processes).toBe(0);
    expect(pending.take(asked.id)).toBeNull();
    expect(pending.find("k")).toBeNull();
  });

  test("takeAll leaves nobody behind", () => {
    const pending = new Pending();
    const all = [pending.ask(question("k")), pending.ask(question(""))];
    pending.join(all[0]!, waiting(1));
    expect(pending.takeAll()).toEqual(all);
    expect([pending.processes, pending.nextDeadline, pending.find("k")]).toEqual([
      0,
      Infinity,
      null,
    ]);
  });

  test("nobody joins what has no key, or what older gates have asked", () => {
    const pending = new Pending();
    pending.ask(question(""));
    pending.ask(question("k"));
    expect(pending.find("")).toBeNull();
    pending.forgetKeys();
    expect(pending.find("k")).toBeNull();
  });

  test("the end of an old run leaves the new one of the same key to be joined", () => {
    const pending = new Pending();
    const old = pending.ask(question("k"));
    pending.forgetKeys();
    const next = pending.ask(question("k"));
    pending.take(old.id);
    expect(pending.find("k")).toBe(next);
  });

  test("deadlines: each is over once, in whatever order they were set", () => {
    const pending = new Pending();
    expect(pending.nextDeadline).toBe(Infinity);
    const [late, early, middle] = [300, 100, 200].map((at) => pending.ask(question("", at)));
    expect(pending.nextDeadline).toBe(100);
    expect(pending.takeOverdue(99)).toBeNull();
    expect(pending.takeOverdue(250)).toBe(early!);
    expect(pending.takeOverdue(250)).toBe(middle!);
    expect(pending.takeOverdue(250)).toBeNull();
    expect(pending.nextDeadline).toBe(300);
    expect(pending.takeOverdue(300)).toBe(late!);
    expect(pending.nextDeadline).toBe(Infinity);
  });

  test("the deadline of what was answered in time is not waited for again and again", () => {
    const pending = new Pending();
    const first = pending.ask(question("", 100));
    pending.ask(question("", 200));
    pending.take(first.id);
    expect(pending.takeOverdue(150)).toBeNull();
    expect(pending.nextDeadline).toBe(200);
  });
});

describe("Answers", () => {
  test("hold until their time, and not at it", () => {
    const answers = new Answers();
    answers.set("k", "deny", 100);
    expect(answers.get("k", 99)).toBe("deny");
    expect(answers.get("k", 100)).toBeNull();
    expect(answers.get("k", 99)).toBeNull();
    expect(answers.get("other", 0)).toBeNull();
  });

  test("a later one replaces an earlier one; clear forgets all", () => {
    const answers = new Answers();
    answers.set("k", "deny", 100);
    answers.set("k", "allow", 200);
    expect(answers.get("k", 150)).toBe("allow");
    answers.clear();
    expect(answers.get("k", 150)).toBeNull();
  });

  test("beyond 20,000 the oldest go", () => {
    const answers = new Answers();
    for (let i = 0; i <= 20_000; i++) answers.set(String(i), "deny", 1);
    expect(answers.get("0", 0)).toBeNull();
    expect(answers.get("1", 0)).toBe("deny");
    expect(answers.get("20000", 0)).toBe("deny");
  });
});

describe("Tally", () => {
  test("counts each verdict once, and why it was that one", () => {
    const tally = new Tally();
    tally.follow([asking]);
    tally.waits(asking, 3);
    tally.decided(asking, "deny", "cache");
    tally.decided(asking, "allow", "timeout");
    tally.decided(asking, "deny", "error");
    tally.decided(asking, "deny", "command");
    tally.waits(asking, -2);
    expect(tally.counts).toEqual([
      { name: "asking", allowed: 1, denied: 3, cached: 1, timedOut: 1, failed: 1, waiting: 1 },
    ]);
  });

  test("after a reload a gate of the same name goes on counting, others begin, and what is gone is not counted", () => {
    const tally = new Tally();
    const other = gate({ name: "other" });
    tally.follow([asking]);
    tally.decided(asking, "deny", "verdict");
    tally.follow([gate({ name: "asking" }), other]);
    tally.decided(gate({ name: "gone" }), "deny", "verdict");
    expect(tally.counts.map(({ name, denied }) => [name, denied])).toEqual([
      ["asking", 1],
      ["other", 0],
    ]);
  });
});
