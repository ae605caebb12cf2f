/** The circuit breaker: loops that nobody can know are stopped, and a busy neighbour never is. */
import { describe, expect, test } from "bun:test";
import { noFamily } from "../../src/family/family.ts";
import { isPartOf, type PastRun, rememberedMs, RunHistory } from "../../src/action/run-history.ts";
import type { Rule } from "../../src/rule/rule.ts";
import { allowing, type Happening, ruleCalled, World } from "./loop-world.ts";

const a = ruleCalled("a");

interface Step {
  readonly rule: Rule;
  readonly happening: Happening;
}

/** Commands that each do what is the next step right before their end. @returns how many were run */
function loop(world: World, stepAt: (turn: number) => Step, { turnMs = 10 } = {}): number {
  let judged = world.judge(stepAt(0).rule, stepAt(0).happening);
  for (let turn = 0; turn < 500; turn++) {
    if (judged.verdict !== "run") return turn;
    const { rule, happening } = stepAt(turn);
    const run = world.start(rule, happening.path, judged);
    world.pass(turnMs);
    const next = stepAt(turn + 1);
    judged = world.judge(next.rule, next.happening);
    world.end(run);
  }
  return Infinity;
}

describe("the breaker", () => {
  test("stops two rules with a file of one name in two directories, and names the cycle", () => {
    const world = new World();
    const steps: Step[] = [
      { rule: allowing("a"), happening: { path: "/in/f" } },
      { rule: allowing("b"), happening: { path: "/out/f" } },
    ];
    expect(loop(world, (turn) => steps[turn % 2]!)).toBe(40);
    expect(world.errors).toEqual([
      'error: rule "a" -> rule "b" -> rule "a" on "/in/f": a loop, 20 runs in 10 s; suspended on that path for 60 s: let the command write elsewhere, or exclude what it writes',
    ]);
  });

  test("stops a rule that makes a new name of each name", () => {
    const world = new World();
    const nameAt = (turn: number) => `/in/f${".bak".repeat(turn)}`;
    expect(loop(world, (turn) => ({ rule: a, happening: { path: nameAt(turn) } }))).toBe(20);
    expect(world.errors[0]).toStartWith('error: rule "a" -> rule "a" on "/in/f.bak');
  });

  test('stops a loop that loop = "allow" lets begin, whoever is known to do it', () => {
    const world = new World();
    const rule = allowing("x");
    expect(loop(world, () => ({ rule, happening: { path: "/in/f" } }))).toBe(20);
    const known = new World();
    let run = known.start(rule, "/in/f");
    let runs = 1;
    for (;;) {
      const judged = known.judge(rule, { path: "/in/f", by: run });
      if (judged.verdict !== "run") break;
      run = known.start(rule, "/in/f", judged);
      runs++;
    }
    expect(runs).toBe(20);
  });

  test("lets a rule be that sets itself off less often", () => {
    const world = new World();
    const rule = allowing("x");
    const slow = { turnMs: rememberedMs / 19 };
    expect(loop(world, () => ({ rule, happening: { path: "/in/f" } }), slow)).toBe(Infinity);
  });

  test("runs once after the pause, for the last of what came meanwhile", () => {
    const world = new World();
    const rule = allowing("x");
    loop(world, () => ({ rule, happening: { path: "/in/f" } }));
    const trigger = world.trigger({ path: "/in/f" });
    expect(world.guard.judge(rule, trigger, "/in/f").verdict).toBe("suspended");
    expect(world.superseded).toEqual([trigger.seq - 1]);
    trigger.path.fill(0); // its buffer is used again
    expect(world.judge(rule, { path: "/in/g" }).verdict).toBe("run");
    world.pass(59_999);
    expect(world.released).toEqual([]);
    world.pass(1);
    expect(world.released).toEqual([{ rule: "x", path: "/in/f" }]);
    expect(world.log.lines.at(-1)).toBe(
      'info: rule "x": back on "/in/f", for the last of 2 events that waited',
    );
    expect(world.judge(rule, { path: "/in/f" }).verdict).toBe("run");
    world.pass(600_000);
    expect(world.released.length).toBe(1);
  });

  test("is never met by a neighbour that writes many times a second between short commands", () => {
    const world = new World();
    let runs = 0;
    for (let i = 0; i < 10_000; i++) {
      const judged = world.judge(a, { path: "/in/f" });
      if (judged.verdict === "run") {
        runs++;
        const run = world.start(a, "/in/f", judged);
        world.pass(1);
        world.end(run);
      }
      world.pass(20);
    }
    // Now and then one waits until it is seen that others come though nothing is run.
    expect(runs + world.released.length).toBe(10_000);
    expect(world.released.length).toBeLessThan(20);
    expect(world.log.lines).toEqual([]);
  });

  test("is never met by a burst of many files, though commands run all the time", () => {
    const world = new World();
    for (let i = 0; i < 5_000; i++) {
      const path = `/in/data${i}.csv`;
      const judged = world.judge(a, { path });
      expect(judged.verdict).toBe("run");
      const run = world.start(a, path, judged);
      world.pass(2);
      if (i % 16 === 15) world.end(run);
    }
    expect(world.log.lines).toEqual([]);
  });
});

describe("what a daemon does to the path after its command has ended", () => {
  /** Runs that end, and some time later what each left behind writes. @returns runs until the error */
  function daemonLoop(world: World, afterMs: number): number {
    for (let runs = 0; runs < 200;) {
      const before = world.released.length;
      const judged = world.judge(a, { path: "/in/f" });
      if (world.errors.length > 0) return runs;
      if (judged.verdict === "suspended") {
        world.pass(999);
        expect(world.released.length).toBe(before);
        world.pass(1);
        expect(world.released.length).toBe(before + 1);
        expect(world.judge(a, { path: "/in/f" }).verdict).toBe("run"); // what was released
      }
      world.end(world.start(a, "/in/f"));
      runs++;
      world.pass(afterMs);
    }
    return Infinity;
  }

  test("is found to be a loop when nothing comes while nothing is run, three times", () => {
    const world = new World();
    expect(daemonLoop(world, 5)).toBe(35);
    expect(world.errors).toEqual([
      expect.stringContaining('rule "a" -> rule "a" on "/in/f": a loop'),
    ]);
    world.pass(60_000);
    expect(world.log.lines.at(-1)).toContain('rule "a": back on "/in/f"');
  });

  test("is left alone if it takes its time", () => {
    expect(daemonLoop(new World(), 501)).toBe(Infinity);
  });

  test("what is held is let go at the end", () => {
    const world = new World();
    for (let n = 0; n < 20; n++) {
      world.judge(a, { path: "/in/f" });
      world.end(world.start(a, "/in/f"));
    }
    expect(world.judge(a, { path: "/in/f" }).verdict).toBe("suspended");
    world.guard.flush();
    expect(world.released.length).toBe(1);
    world.pass(1_000);
    expect(world.released.length).toBe(1);
  });

  test("a write that is known to be a neighbour's ends the wait, and both run in their order", () => {
    const world = new World();
    for (let n = 0; n < 20; n++) {
      world.judge(a, { path: "/in/f" });
      world.end(world.start(a, "/in/f"));
    }
    expect(world.judge(a, { path: "/in/f" }).verdict).toBe("suspended");
    expect(world.judge(a, { path: "/in/f", by: noFamily }).verdict).toBe("suspended");
    expect(world.released).toEqual([]);
    world.pass(0);
    expect(world.released.length).toBe(2);
    expect(world.guard.isSuspending).toBe(false);
  });
});

describe("isPartOf", () => {
  test.each([
    ["f", "f.bak", true],
    ["f", ".f.swp", true],
    ["f", "f~", true],
    ["a.csv", "done_a.csv", true],
    ["f", "of f", true],
    ["f", "fx", false],
    ["f", "f", false],
    ["data1.csv", "data11.csv", false],
    ["1", "11.1", true],
    ["", "f", false],
    ["f.bak", "f", false],
  ])("%p of %p: %p", (part, whole, isPart) => {
    expect(isPartOf(part, whole)).toBe(isPart);
  });
});

describe("RunHistory", () => {
  test("forgets what ended ten seconds ago, and what that was caused by", () => {
    let now = 0;
    const history = new RunHistory(() => now);
    const begin = (pid: number, cause: number | null): PastRun => {
      const run = cause === null ? null : history.ofPid(cause);
      const causes = run === null ? [] : [{ run, chain: run.chain }];
      return history.begin({ rule: "a", paths: ["/f"], pid, startedAt: 0, causes });
    };
    const first = begin(1, null);
    const second = begin(2, 1);
    expect(history.ofPid(2)).toBe(second);
    expect(second.causes).toEqual([first]);
    history.close(first, 0);
    history.close(second, 0);
    now = 20_000;
    begin(3, null);
    expect(second.causes).toEqual([]);
    expect(history.on("/f").map(({ pid }) => pid)).toEqual([3]);
    expect(history.ofPid(1)).toBeNull();
    expect([...history.chainOf(1)!]).toEqual(["a"]);
  });

  test("keeps few runs of one path that ended, and all that run", () => {
    const history = new RunHistory(() => 0);
    const begin = (pid: number): PastRun =>
      history.begin({ rule: "a", paths: ["/f"], pid, startedAt: 0, causes: [] });
    const runs = Array.from({ length: 20 }, (_, pid) => begin(pid));
    expect(history.on("/f").length).toBe(20);
    for (const run of runs) history.close(run, 0);
    for (let pid = 20; pid < 40; pid++) history.close(begin(pid), 0);
    expect(history.on("/f").length).toBeLessThanOrEqual(20);
    expect(history.on("/f").at(-1)!.pid).toBe(39);
  });

  test("forgets the oldest when many end within ten seconds", () => {
    const history = new RunHistory(() => 0);
    const begin = (pid: number): PastRun =>
      history.begin({ rule: "a", paths: [`/${pid}`], pid, startedAt: 0, causes: [] });
    for (let pid = 0; pid < 20_000; pid++) history.close(begin(pid), 0);
    const remembered = Array.from({ length: 20_000 }, (_, pid) => pid).filter(
      (pid) => history.on(`/${pid}`).length > 0,
    );
    expect(remembered.length).toBeWithin(5_000, 6_000);
    expect(remembered.at(-1)).toBe(19_999);
    expect(remembered.length).toBe(20_000 - remembered[0]!);
  });
});
