/** What a rule's own commands did, by who did it and by what ran meanwhile. */
import { describe, expect, test } from "bun:test";
import { eventBits } from "../../src/event.ts";
import { noFamily } from "../../src/family/family.ts";
import { allowing, ruleCalled, World } from "./loop-world.ts";

const [a, b, c] = [ruleCalled("a"), ruleCalled("b"), ruleCalled("c")];
const f = "/srv/f";

describe("where it is known who did it", () => {
  test("a rule does not fire for what its own command did, on whatever path", () => {
    const world = new World();
    const run = world.start(a, f);
    for (const path of [f, "/srv/g"]) expect(world.judge(a, { path, by: run }).verdict).toBe("own");
  });

  test("it does for anybody else, also on that path while the command runs", () => {
    const world = new World();
    world.start(a, f);
    expect(world.judge(a, { path: f, by: noFamily })).toEqual({ verdict: "run", causes: [] });
  });

  test("what a command left behind is its own for long after its end", () => {
    const world = new World();
    const run = world.start(a, f);
    world.end(run);
    world.pass(3_600_000);
    for (let i = 0; i < 50_000; i++) world.end(world.start(b, `/srv/${i}`));
    expect(world.judge(a, { path: f, by: run }).verdict).toBe("own");
  });

  test("rules that set each other off stop with the first that comes again", () => {
    const world = new World();
    const first = world.start(a, f);
    const toB = world.judge(b, { path: "/out/f", by: first });
    expect(toB.verdict).toBe("run");
    const second = world.start(b, "/out/f", toB);
    expect(world.judge(a, { path: f, by: second }).verdict).toBe("own");
    const toC = world.judge(c, { path: "/c", by: second });
    const third = world.start(c, "/c", toC);
    expect(world.judge(a, { path: f, by: third }).verdict).toBe("own");
    expect(world.judge(b, { path: "/out/f", by: third }).verdict).toBe("own");
  });

  test("a pipeline goes through, and back only if somebody else starts it there", () => {
    const world = new World();
    const second = world.start(b, "/b", world.judge(b, { path: "/b", by: world.start(a, f) }));
    expect(world.judge(c, { path: "/c", by: second }).verdict).toBe("run");
    const alone = world.start(b, "/b", world.judge(b, { path: "/b", by: noFamily }));
    expect(world.judge(a, { path: f, by: alone }).verdict).toBe("run");
  });

  test("its ancestry stays with a trigger that waits for long", () => {
    const world = new World();
    const first = world.start(a, f);
    const toB = world.judge(b, { path: "/out/f", by: first });
    world.end(first);
    world.pass(600_000);
    world.end(world.start(c, "/c"));
    const second = world.start(b, "/out/f", toB);
    expect(world.judge(a, { path: f, by: second }).verdict).toBe("own");
  });

  test("a pid that is used again is of the run that has it", () => {
    const world = new World();
    world.end(world.start(a, f, undefined, 77));
    const run = world.start(b, "/b", undefined, 77);
    expect(world.judge(a, { path: f, by: run }).verdict).toBe("run");
    expect(world.judge(b, { path: "/b", by: run }).verdict).toBe("own");
  });

  test('loop = "allow" runs it all the same', () => {
    const world = new World();
    const rule = allowing("a");
    const run = world.start(rule, f);
    expect(world.judge(rule, { path: f, by: run }).verdict).toBe("run");
  });

  test("a neighbour that writes all the time is never suspended, whatever runs", () => {
    const world = new World();
    for (let i = 0; i < 5_000; i++) {
      const judged = world.judge(a, { path: f, by: noFamily });
      expect(judged.verdict).toBe("run");
      world.start(a, f, judged); // and none of them ends
      world.pass(1);
    }
    expect(world.log.lines).toEqual([]);
  });
});

describe("where it is not known", () => {
  test("what happens to the path while its command runs is its doing, and nothing else is", () => {
    const world = new World();
    const run = world.start(a, f);
    world.pass(5);
    expect(world.judge(a, { path: f }).verdict).toBe("own");
    expect(world.judge(a, { path: "/srv/other" }).verdict).toBe("run");
    expect(world.judge(b, { path: f }).verdict).toBe("run");
    world.end(run);
    expect(world.judge(a, { path: f }).verdict).toBe("run");
  });

  test("with inotify it runs once more for that, and what happens then is its doing", () => {
    const world = new World();
    world.start(a, f);
    const again = world.judge(a, { path: f, pid: 0 });
    expect(again.verdict).toBe("run");
    const second = world.start(a, f, again);
    expect(world.judge(a, { path: f, pid: 0 }).verdict).toBe("own");
    world.end(second);
    expect(world.judge(a, { path: f, pid: 0 }).verdict).toBe("run");
  });

  test("what was read before it started is not", () => {
    const world = new World();
    world.start(a, f);
    world.pass(5);
    expect(world.judge(a, { path: f, agoMs: 6 }).verdict).toBe("run");
  });

  test("what was read before its end is, though it is judged later", () => {
    const world = new World();
    const run = world.start(a, f);
    const trigger = world.trigger({ path: f });
    world.end(run);
    expect(world.guard.judge(a, trigger, f).verdict).toBe("own");
    expect(world.judge(a, { path: f }).verdict).toBe("run");
  });

  test("both paths of a rename count", () => {
    const world = new World();
    world.start(a, f);
    const events = eventBits.rename;
    expect(world.judge(a, { path: "/srv/g", from: f, events }).verdict).toBe("own");
    expect(world.judge(a, { path: f, from: "/srv/g", events }).verdict).toBe("own");
    expect(world.judge(a, { path: "/srv/g", from: "/srv/h", events }).verdict).toBe("run");
  });

  test("two rules for one path set each other off no second time", () => {
    const world = new World();
    world.start(a, f);
    const toB = world.judge(b, { path: f });
    expect(toB.verdict).toBe("run");
    world.start(b, f, toB);
    expect(world.judge(a, { path: f }).verdict).toBe("own");
  });

  test("two rules for files of one name set each other off no second time", () => {
    const world = new World();
    const first = world.start(a, f);
    const toB = world.judge(b, { path: "/out/f" });
    expect(toB.verdict).toBe("run");
    world.end(first);
    world.start(b, "/out/f", toB);
    expect(world.judge(a, { path: f }).verdict).toBe("own");
    expect(world.judge(a, { path: "/elsewhere/f" }).verdict).toBe("run");
  });

  test("nor if it is known who did the second part only", () => {
    const world = new World();
    const first = world.start(a, f);
    const toB = world.judge(b, { path: "/out/f" });
    world.end(first);
    const second = world.start(b, "/out/f", toB);
    expect(world.judge(a, { path: f, by: second }).verdict).toBe("own");
  });

  test("a name alone makes no ancestry", () => {
    const world = new World();
    const first = world.start(a, f);
    const toB = world.judge(b, { path: "/out/f.bak" });
    const second = world.start(b, "/out/f.bak", toB);
    world.end(first);
    expect(world.judge(a, { path: "/srv/g", by: second }).verdict).toBe("run");
  });

  test("a full queue is said also to the rule that runs for it", () => {
    const world = new World();
    world.start(a, f);
    expect(world.judge(a, { path: f, events: eventBits.q_overflow }).verdict).toBe("run");
  });

  test("what polling finds may be a command's doing for two intervals and two seconds", () => {
    const polled = ruleCalled("a", { pollIntervalMs: 5_000 });
    for (const [ms, verdict] of [
      [11_999, "own"],
      [12_001, "run"],
    ] as const) {
      const world = new World();
      world.judge(polled, { path: f, synthetic: "poll" });
      world.end(world.start(polled, f));
      world.pass(ms);
      world.end(world.start(b, "/b")); // time to forget
      expect(world.judge(polled, { path: f, synthetic: "poll" }).verdict).toBe(verdict);
    }
  });

  test("a family that is forgotten is not known", () => {
    const world = new World();
    world.start(a, f);
    expect(world.judge(a, { path: f, by: { pid: 4 } }).verdict).toBe("own");
    expect(world.judge(a, { path: "/srv/g", by: { pid: 4 } }).verdict).toBe("run");
  });
});

describe("in the log", () => {
  test("the first that is passed over is said at once, the rest after a minute in one line", () => {
    const world = new World();
    const run = world.start(a, f);
    for (let i = 0; i < 10; i++) world.judge(a, { path: `/srv/${i}`, by: run });
    const first = 'info: rule "a": passed over 1 event of "/srv/0": its own command did it;';
    expect(world.log.lines).toEqual([expect.stringContaining(first)]);
    world.pass(60_000);
    const rest = 'rule "a": passed over 9 events, the last of "/srv/9"';
    expect(world.log.lines).toEqual([expect.anything(), expect.stringContaining(rest)]);
    world.pass(600_000);
    expect(world.log.lines.length).toBe(2);
    world.judge(a, { path: f, by: run });
    expect(world.log.lines.length).toBe(3);
  });

  test("what only may be its own is a warning with the cure", () => {
    const world = new World();
    world.start(a, f);
    world.judge(a, { path: f });
    expect(world.log.lines).toEqual([
      'warn: rule "a": passed over 1 event of "/srv/f": its command was running for that path, and who did it is not known: fanotify as root knows it, loop = "allow" runs it all the same',
    ]);
  });
});
