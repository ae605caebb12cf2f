/** When processes are told of: from before the first command to when nothing of any is left. */
import { describe, expect, test } from "bun:test";
import { FamilyWatch } from "../../src/action/family-watch.ts";

function scene() {
  const said: string[] = [];
  const timers: (() => void)[] = [];
  const asked: (() => void)[] = [];
  const state = { members: 0 };
  const watch = new FamilyWatch({
    events: { listen: () => void said.push("listen"), rest: () => void said.push("rest") },
    readUp: (then) => void asked.push(then),
    members: () => state.members,
    later: (_, then) => void timers.push(then),
  });
  const due = (): void => timers.shift()!();
  const answer = (): void => asked.shift()!();
  return { watch, said, state, due, answer, timers, asked };
}

describe("FamilyWatch", () => {
  test("listens before the first command, and rests after the last when all is read", () => {
    const { watch, said, due, answer } = scene();
    watch.begin();
    watch.begin();
    expect(said).toEqual(["listen"]);
    watch.end();
    watch.end();
    due();
    expect(said).toEqual(["listen"]);
    answer();
    expect(said).toEqual(["listen", "rest"]);
    watch.begin();
    expect(said).toEqual(["listen", "rest", "listen"]);
  });

  test("a command that starts meanwhile keeps it listening", () => {
    const { watch, said, due, answer, timers } = scene();
    watch.begin();
    watch.end();
    watch.begin();
    due();
    expect(timers).toEqual([]);
    watch.end();
    due();
    watch.begin();
    answer();
    watch.end();
    due();
    answer();
    expect(said).toEqual(["listen", "rest"]);
  });

  test("listens on for what a command has left behind", () => {
    const { watch, said, state, due, answer } = scene();
    state.members = 1;
    watch.begin();
    watch.end();
    for (let looks = 0; looks < 3; looks++) {
      due();
      answer();
    }
    expect(said).toEqual(["listen"]);
    state.members = 0;
    due();
    answer();
    expect(said).toEqual(["listen", "rest"]);
  });
});
