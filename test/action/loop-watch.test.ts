/** What the runner tells the loop watch: triggers in buffers, runs, and ends that the reader has to read up to. */
import { describe, expect, test } from "bun:test";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { LoopWatch } from "../../src/action/loop-watch.ts";
import { noFamily, unknownFamily } from "../../src/family/family.ts";
import {
  bufferOf,
  type RuleTriggers,
  type Trigger,
  TriggerReader,
  TriggerWriter,
} from "../../src/reader/trigger.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { ruleCalled } from "./loop-world.ts";
import { MemoryLog } from "./support.ts";

const a = ruleCalled("a");
const b = ruleCalled("b");

function scene() {
  const asked: ((seq: number) => void)[] = [];
  const watch = new LoopWatch({
    log: new MemoryLog(),
    families: { begin() {}, end() {} },
    readUp: (then) => void asked.push(then),
    release: () => {},
    onOwn: () => {},
    onSuperseded: () => {},
  });
  return { watch, asked };
}

let seq = 0;

function triggers(...all: [path: string, family: number][]): RuleTriggers {
  const writer = new TriggerWriter();
  writer.time = (Date.now() + 1_000) * 1_000;
  for (const [path, family] of all) {
    const bytes = utf8(path);
    writer.add(0, 8, 4711, ++seq, bytes, bytes, 0, 0, null, null, null, family);
  }
  return { rule: 0, buffer: writer.take(), count: all.length };
}

function taken({ buffer }: RuleTriggers): Trigger[] {
  const reader = new TriggerReader(buffer);
  return [...new Array(100)].flatMap(() => reader.take() ?? []);
}

const pathsOf = (of: RuleTriggers): string[] => taken(of).map(({ path }) => latin1(path));

describe("LoopWatch", () => {
  test("takes out what a command of the rule did, and leaves the others in their order", () => {
    const { watch } = scene();
    const begin = watch.begin([]);
    watch.began(a, 77, taken(triggers(["/f", noFamily])), begin);
    const admitted = watch.admit(
      a,
      triggers(["/1", 77], ["/22", noFamily], ["/f", unknownFamily], ["/333", 78], ["/4", 77]),
    );
    expect(pathsOf(admitted)).toEqual(["/22", "/333"]);
    expect(admitted.count).toBe(2);
    expect(pathsOf(watch.admit(a, triggers(["/f", 77])))).toEqual([]);
  });

  test("gives back the very buffer if all of it is from outside", () => {
    const { watch } = scene();
    watch.began(a, 77, [], watch.begin([]));
    const given = triggers(["/f", noFamily], ["/g", noFamily]);
    expect(watch.admit(a, given)).toBe(given);
    const other = triggers(["/f", 77]);
    expect(watch.admit(b, other)).toBe(other);
  });

  test("a trigger that waits keeps what it was caused by", () => {
    const { watch } = scene();
    watch.began(a, 77, taken(triggers(["/f", noFamily])), watch.begin([]));
    const waiting = watch.admit(b, triggers(["/out/f", 77]));
    watch.began(b, 78, taken(waiting), watch.begin([]));
    expect(watch.admit(a, triggers(["/f", 78])).count).toBe(0);
  });

  test("one question to the reader serves for all runs that ended before it", async () => {
    const { watch, asked } = scene();
    const runs = [1, 2, 3].map((pid) =>
      watch.began(a, pid, taken(triggers([`/${pid}`, noFamily])), watch.begin([])),
    );
    for (const past of runs) watch.ended({ past, isGone: true });
    expect(asked.length).toBe(1);
    asked[0]!(seq);
    await waitFor(() => asked.length === 2, { what: "the next question" });
    expect(watch.admit(a, triggers(["/1", unknownFamily])).count).toBe(1);
    expect(watch.admit(a, triggers(["/2", unknownFamily])).count).toBe(0);
    asked[1]!(seq);
    expect(asked.length).toBe(2);
    expect(watch.admit(a, triggers(["/2", unknownFamily])).count).toBe(1);
  });
});

test("bufferOf gives a trigger back as it was, as of the first rule", () => {
  const [trigger] = taken(triggers(["/srv/f", 77]));
  const told = { ...trigger!, isSelf: true, isDirectory: true, from: utf8("/srv/old"), pid: 5 };
  const actor = { comm: utf8("cp"), exe: null, uid: 0 };
  const [again] = taken({ rule: 0, buffer: bufferOf({ ...told, actor }), count: 1 });
  expect(again).toEqual({ ...told, actor, rule: 0 });
});
