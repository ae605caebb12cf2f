import { describe, expect, test } from "bun:test";
import { latin1 } from "../../ffi/bytes.ts";
import { TriggerQueue } from "../../src/action/queue.ts";
import { LetGo } from "../../src/action/tickets.ts";
import { TriggerCursor } from "../../src/reader/trigger.ts";
import { numbered, ruleThatRuns, triggersFor } from "./support.ts";

const rules = [ruleThatRuns("/bin/a")];
const otherRules = [ruleThatRuns("/bin/b")];

function push(queue: TriggerQueue, paths: readonly (string | Uint8Array)[], of = rules): void {
  queue.push(of, triggersFor(paths), paths.length);
}

/** The paths of all that waits. */
function drain(queue: TriggerQueue): string[] {
  const paths = [];
  for (let next = queue.take(); next !== null; next = queue.take()) {
    paths.push(latin1(next.trigger.path));
  }
  return paths;
}

describe("TriggerQueue", () => {
  test("is empty at first", () => {
    const queue = new TriggerQueue();
    expect(queue.length).toBe(0);
    expect(queue.take()).toBeNull();
  });

  test("gives triggers in order, one at a time, and counts them", () => {
    const queue = new TriggerQueue();
    push(queue, ["/a", "/bb"]);
    push(queue, ["/ccc"]);
    expect(queue.length).toBe(3);
    expect(latin1(queue.take()!.trigger.path)).toBe("/a");
    expect(queue.length).toBe(2);
    push(queue, ["/d"]);
    expect(drain(queue)).toEqual(["/bb", "/ccc", "/d"]);
    expect(queue.length).toBe(0);
  });

  test("keeps the order of small and large buffers", () => {
    const queue = new TriggerQueue();
    const pushed: string[] = [];
    for (const [round, size] of [1, 900, 1, 2, 40_000, 3, 1500, 700, 700, 1].entries()) {
      const paths = numbered(size).map((number) => `/${round}/${number}`);
      push(queue, paths);
      pushed.push(...paths);
    }
    expect(queue.length).toBe(pushed.length);
    expect(drain(queue)).toEqual(pushed);
  });

  test("keeps the order when it is filled while it is emptied", () => {
    const queue = new TriggerQueue();
    const taken: string[] = [];
    for (const number of numbered(5000)) {
      push(queue, [number]);
      if (Number(number) % 3 === 0) taken.push(latin1(queue.take()!.trigger.path));
    }
    expect([...taken, ...drain(queue)]).toEqual(numbered(5000));
  });

  test("gives each trigger the rules it came with", () => {
    const queue = new TriggerQueue();
    push(queue, ["/a"]);
    push(queue, ["/b"], otherRules);
    push(queue, ["/c"]);
    const taken = [queue.take()!, queue.take()!, queue.take()!];
    expect(taken.map((waiting) => waiting.rules)).toEqual([rules, otherRules, rules]);
    expect(taken.map(({ trigger }) => latin1(trigger.path))).toEqual(["/a", "/b", "/c"]);
  });

  test("clear lets everything go and says how many they were, and how many the journal has", () => {
    const queue = new TriggerQueue();
    push(queue, numbered(3000));
    push(queue, ["/a", "/b"]);
    queue.take();
    const buffer = triggersFor(numbered(4));
    const cursor = new TriggerCursor(buffer);
    for (let ticket = 1; cursor.next(); ticket++) if (ticket < 4) cursor.ticket = ticket;
    queue.push(otherRules, buffer, 4);
    const letGo = new LetGo();
    queue.clear(letGo);
    expect(letGo).toEqual(Object.assign(new LetGo(), { lost: 3002, kept: 3 }));
    expect(queue.length).toBe(0);
    expect(queue.take()).toBeNull();
    push(queue, ["/new"]);
    expect(drain(queue)).toEqual(["/new"]);
  });
});
