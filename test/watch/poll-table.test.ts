/** Rounds of polling: when they come, and what is looked at. */
import { expect, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { PollSet, POLLIN } from "../../ffi/poll.ts";
import { changeEvents, namesOf } from "../../src/event.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { RuleSet } from "../../src/rule/rule-set.ts";
import { viewRenamed } from "../../src/rule/view.ts";
import { noDisk } from "../../src/rule/subject.ts";
import { OwnOutputs } from "../../src/watch/own-outputs.ts";
import { quietLooksNeeded } from "../../src/watch/poll-complete.ts";
import { PollTable } from "../../src/watch/poll-table.ts";
import { joined } from "../../src/watch/tree.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const intervalMs = 50;

/** A directory that is polled, and what was told of it. */
function polled() {
  const dir = tempDir();
  for (let file = 0; file < 40; file++) dir.write(`f${file}`, "before"); // more than one slice
  const told: string[] = [];
  const table = new PollTable({
    log: { info() {}, warn() {}, error() {} },
    ownOutputs: new OwnOutputs([]),
    sink: {
      synthetic: ({ node, name }, events) =>
        void told.push(
          ...namesOf(events & ~viewRenamed).map(
            (event) => `${event} ${latin1(joined(node, name))}`,
          ),
        ),
      renamed: () => {},
      beginGroup: () => {},
      endGroup: () => {},
    },
    asking: () => {},
    isWanted: () => true,
    somethingCameOrWent: () => {},
  });
  const condition = [{ groups: [changeEvents], children: true, directories: true }];
  const rule = {
    name: "1",
    watch: [],
    backend: "poll",
    condition,
    runs: false,
    once: false,
  } as const;
  const rules = new RuleSet([rule], null, noDisk);
  const top = new Interests(rules, [{ rule: 0, self: true, children: true }]);
  table.setRoot(utf8(dir.path), { top, below: null, belowHidden: null, intervalMs, isNew: false });
  const isDueWithin = (milliseconds: number): boolean => {
    const wait = new PollSet(1);
    wait.set(0, table.pollFd, POLLIN);
    return wait.wait(milliseconds) > 0;
  };
  return { dir, table, told, isDueWithin };
}

test("PollTable rests for an interval, however long the round before it took", async () => {
  const { table, isDueWithin } = polled();
  table.lookOn(0); // a slice, and not the end
  await Bun.sleep(2 * intervalMs); // the round takes longer than the interval
  table.lookOn(Infinity);
  const end = performance.now();
  expect(table.isLooking).toBe(false);
  expect(isDueWithin(0)).toBe(false);
  expect(isDueWithin(10_000)).toBe(true);
  expect(performance.now() - end).toBeGreaterThanOrEqual(intervalMs - 1);
});

test("PollTable tells nothing of what it finds at the start, and once of what changes then", async () => {
  const { dir, table, told, isDueWithin } = polled();
  table.lookOn(Infinity);
  expect(told).toEqual([]);
  appendFileSync(dir.join("f7"), "more");
  for (let round = 0; round < 4; round++) {
    expect(isDueWithin(10_000)).toBe(true);
    table.startRound();
    table.lookOn(Infinity);
  }
  expect(told).toEqual([`modify ${dir.join("f7")}`, `close_write ${dir.join("f7")}`]);
});

test("PollTable.lookOnce gives up when there is no time for it", () => {
  const { table } = polled();
  expect(table.lookOnce(0)).toBe(false);
  expect(table.lookOnce(10_000)).toBe(true);
});

test("quietLooksNeeded covers two seconds where times are counted in steps of two", () => {
  expect(quietLooksNeeded(20, false)).toBe(1);
  expect(quietLooksNeeded(20, true)).toBe(100);
  expect(quietLooksNeeded(300, true)).toBe(7);
  expect(quietLooksNeeded(5_000, true)).toBe(1);
});
