import { describe, expect, test } from "bun:test";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { Job } from "../../src/action/job.ts";
import { Lanes } from "../../src/action/lanes.ts";
import { noFamily } from "../../src/family/family.ts";
import type { Trigger } from "../../src/reader/trigger.ts";
import { defaultPolicy, type Policy } from "../../src/rule/policy.ts";
import { seededRandom } from "../contract/random.ts";
import { ruleThatRuns } from "./support.ts";

let seq = 0;

function trigger(path: string, some: Partial<Trigger> = {}): Trigger {
  const flags = { isSelf: false, isDirectory: false, synthetic: null, actor: null };
  const numbers = { rule: 0, events: 8, pid: 0, time: 0, family: noFamily, ticket: 0, seq: ++seq };
  return { ...flags, ...numbers, path: utf8(path), from: new Uint8Array(0), ...some };
}

const ruleWith = (policy: Partial<Policy> = {}) => ({
  ...ruleThatRuns("/bin/true"),
  policy: { ...defaultPolicy, ...policy },
});

function jobOf(paths: readonly string[], policy: Partial<Policy> = {}): Job {
  const rule = ruleWith(policy);
  const [job, ...others] = paths.map((path) => new Job(rule, trigger(path)));
  for (const other of others) job!.absorb(other);
  return job!;
}

const pathsOf = (job: Job): string[] => job.paths.map(latin1);

describe("Job", () => {
  test("has the newest event of each path, and the events of all before it", () => {
    const rule = ruleWith();
    const job = new Job(rule, trigger("a", { events: 8 }));
    job.absorb(new Job(rule, trigger("b", { events: 8 })));
    expect(job.absorb(new Job(rule, trigger("a", { events: 2 })))).toBe(1);
    expect(pathsOf(job)).toEqual(["b", "a"]);
    expect([job.size, job.events, job.trigger.events, latin1(job.trigger.path)]).toEqual([
      2,
      3,
      10,
      "a",
    ]);
  });

  test("keeps every event where the command reads each", () => {
    const job = jobOf(["a", "a", "b"], { stdin: "json" });
    expect(Array.from(job.triggers, ({ path }) => latin1(path))).toEqual(["a", "a", "b"]);
    expect(pathsOf(job)).toEqual(["a", "b"]);
  });

  test("keeps the tickets of events that others stand for", () => {
    const rule = ruleWith();
    const job = new Job(rule, trigger("a", { ticket: 7 }));
    job.absorb(new Job(rule, trigger("a", { ticket: 9 })));
    expect(job.tickets).toEqual([7, 9]);
  });

  test("is about both paths of a rename", () => {
    const job = new Job(ruleWith(), trigger("new", { from: utf8("old") }));
    expect(job.keys).toEqual(["new", "old"]);
  });

  test.each([
    ["path", ["a", "b"]],
    ["rule", ["rule"]],
    ["none", []],
  ] as const)("has the keys of its order: %s", (order, keys) => {
    expect(jobOf(["a", "b"], { order }).keys).toEqual([...keys]);
  });
});

describe("Lanes", () => {
  test("2,000 random jobs of one to three keys: none beside or before an older one of a key of its", () => {
    const random = seededRandom();
    const lanes = new Lanes();
    const all = Array.from({ length: 2000 }, () => {
      const count = 1 + random.below(3);
      return jobOf(Array.from({ length: count }, () => `${random.below(12)}`));
    });
    const order = new Map(all.map((job, at) => [job, at]));
    const started: Job[] = [];
    const over = new Set<Job>();
    const running: Job[] = [];
    const begin = (job: Job) => {
      for (const other of running)
        expect(other.keys.some((key) => job.keys.includes(key))).toBe(false);
      running.push(job);
      started.push(job);
    };
    for (const job of all) {
      if (lanes.enter(job)) begin(job);
      while (running.length > 0 && random.chance(0.6)) {
        const [done] = running.splice(random.below(running.length), 1);
        over.add(done!);
        for (const free of lanes.leave(done!)) begin(free);
      }
    }
    while (running.length > 0) for (const free of lanes.leave(running.shift()!)) begin(free);
    expect(started).toHaveLength(all.length);
    expect(lanes.size).toBe(0);
    for (const key of Array.from({ length: 12 }, (_, n) => `${n}`)) {
      const ofKey = started.filter(({ keys }) => keys.includes(key)).map((job) => order.get(job)!);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });

  test("one that leaves from the middle holds nobody up", () => {
    const lanes = new Lanes();
    const [first, second, third] = [jobOf(["a"]), jobOf(["a"]), jobOf(["a"])];
    expect([first, second, third].map((job) => lanes.enter(job))).toEqual([true, false, false]);
    expect(lanes.leave(second)).toEqual([]);
    expect(lanes.leave(first)).toEqual([third]);
  });
});
