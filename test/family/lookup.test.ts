/** Families as /proc has them: of trees written down here, and of real processes. */
import { describe, expect, test } from "bun:test";
import { parseProcessStat, processStat } from "../../ffi/proc-stat.ts";
import { utf8 } from "../../ffi/bytes.ts";
import { FamilyLookup, parentsOfAll } from "../../src/family/lookup.ts";
import { noFamily, unknownFamily } from "../../src/family/family.ts";
import { startProcess } from "../helpers/processes.ts";

const own = 100;

/** By pid: parent, session, start. */
const processes: Record<number, [number, number, number]> = {
  1: [0, 1, 0],
  [own]: [1, own, 50],
  200: [own, own, 60],
  201: [200, own, 61],
  202: [201, 202, 62],
  300: [1, own, 70], // an orphan of a command's
  301: [300, own, 71],
  400: [1, 400, 80], // a service that init started later
  401: [400, 400, 81],
  500: [1, 77, 10], // older than we are
  501: [500, 77, 90],
  600: [1, 599, 90], // its session's leader has ended: daemon(7) forks twice
  700: [0, 0, 1], // a kernel thread
};

function lookup(): FamilyLookup {
  return new FamilyLookup(own, (pid) => {
    const found = processes[pid];
    if (found === undefined) return null;
    const [parent, session, startTicks] = found;
    return { parent, session, startTicks };
  });
}

describe("FamilyLookup", () => {
  test.each([
    ["a command", 200, 200],
    ["its grandchild, in a session of its own", 202, 200],
    ["an orphan in our session", 300, unknownFamily],
    ["an orphan's child", 301, unknownFamily],
    ["what a daemon may have left", 600, unknownFamily],
    ["who has ended", 999, unknownFamily],
    ["a service's child", 401, noFamily],
    ["what descends from something older", 501, noFamily],
    ["a kernel thread", 700, noFamily],
  ])("%s", (_, pid, family) => {
    expect(lookup().of(pid)).toBe(family);
  });

  test("a tree that changes while it is looked at is no endless one", () => {
    const round = new FamilyLookup(own, (pid) => {
      return { parent: pid === own ? 1 : pid ^ 2, session: 0, startTicks: 0 };
    });
    expect(round.of(4)).toBe(unknownFamily);
  });

  test("finds real descendants of this process, and knows what is none", async () => {
    const shell = startProcess(["sh", "-c", "sleep 1000 & read line"]);
    const real = new FamilyLookup(process.pid);
    expect(real.of(shell.pid)).toBe(shell.pid);
    expect(real.of(process.ppid)).toBe(noFamily);
    await shell.end();
    expect(real.of(shell.pid)).toBe(unknownFamily);
  });
});

describe("processStat", () => {
  test("reads behind a name that looks like the rest of the line", () => {
    const line = `42 (a) R 1 (b) S 7 8 9 ${Array.from({ length: 47 }, (_, i) => i).join(" ")}\n`;
    expect(parseProcessStat(utf8(line))).toEqual({ parent: 7, session: 9, startTicks: 15 });
  });

  test("gives nothing for what is no such line", () => {
    expect(parseProcessStat(utf8(""))).toBeNull();
    expect(parseProcessStat(utf8("42 (a) R 1"))).toBeNull();
  });

  test("knows this process, and not one that there cannot be", () => {
    expect(processStat(process.pid)!.parent).toBe(process.ppid);
    expect(processStat(0x7fff_ffff)).toBeNull();
  });
});

test("parentsOfAll has this process and its parent", () => {
  const parents = parentsOfAll();
  expect(parents.get(process.pid)).toBe(process.ppid);
  expect(parents.has(1)).toBe(true);
});
