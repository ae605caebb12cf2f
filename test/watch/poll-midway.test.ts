/** Directories that are renamed while a look is under way: at whatever moment, it is one rename of each. */
import { expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { latin1, utf8 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { RuleSet } from "../../src/rule/rule-set.ts";
import { noDisk } from "../../src/rule/subject.ts";
import type { Place } from "../../src/watch/backend.ts";
import { OwnOutputs } from "../../src/watch/own-outputs.ts";
import { PollTable } from "../../src/watch/poll-table.ts";
import { joined } from "../../src/watch/tree.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";

const intervalMs = 1;

/** `PollTable.lookOn` looks at the clock after so many steps: so many files move the moment by one step each. */
const stepsPerSlice = 16;

/** What is not seen in the round under way is told by the next, and what is gone by the one behind it. */
const roundsAfter = 4;

/** A directory tree that is polled, and what was told of the directories in it. */
function polled(root: string) {
  const told: string[] = [];
  const pathOf = ({ node, name }: Place): string =>
    latin1(joined(node, name)).slice(root.length + 1);
  const table = new PollTable({
    log: { info() {}, warn() {}, error() {} },
    ownOutputs: new OwnOutputs([]),
    sink: {
      synthetic(place, events, isDirectory) {
        if (!isDirectory) return;
        if ((events & eventBits.create) !== 0) told.push(`create ${pathOf(place)}`);
        if ((events & eventBits.delete) !== 0) told.push(`delete ${pathOf(place)}`);
      },
      renamed: ({ from, to }) => void told.push(`rename ${pathOf(to)} from ${pathOf(from)}`),
      beginGroup() {},
      endGroup() {},
    },
    asking: () => {},
    isWanted: () => true,
    somethingCameOrWent: () => {},
  });
  const events = eventBits.create | eventBits.delete | eventBits.rename;
  const condition = [{ groups: [events], children: true, directories: true }];
  const rule = {
    name: "1",
    watch: [],
    backend: "poll",
    condition,
    runs: false,
    once: false,
  } as const;
  const rules = new RuleSet([rule], null, noDisk);
  const all = new Interests(rules, [{ rule: 0, self: true, children: true }]);
  const wants = { top: all, below: all, belowHidden: all, intervalMs, isNew: false };
  table.setRoot(utf8(root), wants);
  table.lookOn(Infinity);
  return { table, told };
}

interface Case {
  readonly claim: string;
  readonly before: (dir: TempDir) => void;
  readonly acts: (dir: TempDir) => void;
  readonly told: readonly string[];
}

const cases: readonly Case[] = [
  {
    claim: "a directory that is renamed over an empty one is one rename, with what is in it",
    before(dir) {
      mkdirSync(dir.join("a/x"), { recursive: true });
      mkdirSync(dir.join("b"));
    },
    acts: (dir) => renameSync(dir.join("a"), dir.join("b")),
    told: ["rename b from a"],
  },
  {
    claim: "a directory that gets the name of one that was renamed is new",
    before: (dir) => mkdirSync(dir.join("a/x"), { recursive: true }),
    acts(dir) {
      renameSync(dir.join("a"), dir.join("b"));
      mkdirSync(dir.join("a"));
    },
    told: ["create a", "rename b from a"],
  },
  {
    claim: "a directory that gets the name of one that was renamed keeps what is in it",
    before(dir) {
      for (const name of ["a/x", "a/y", "a/z", "b/x", "b/y", "b/w"])
        mkdirSync(dir.join(name), { recursive: true });
    },
    acts(dir) {
      renameSync(dir.join("a"), dir.join("c"));
      renameSync(dir.join("b"), dir.join("a"));
    },
    told: ["rename a from b", "rename c from a"],
  },
];

test.each(cases)(
  "at whatever moment of a look, $claim",
  ({ before, acts, told }) => {
    const faults = new Set<string>();
    for (let files = 0; files < stepsPerSlice; files++)
      for (let slices = 1; toldOf({ before, acts }, { files, slices }, faults, told); slices++);
    expect([...faults]).toEqual([]);
  },
  60_000,
);

/** @returns false if the look was over before the moment came */
function toldOf(
  { before, acts }: Pick<Case, "before" | "acts">,
  { files, slices }: { readonly files: number; readonly slices: number },
  faults: Set<string>,
  expected: readonly string[],
): boolean {
  const dir = tempDir();
  const half = files >> 1;
  for (let file = 0; file < half; file++) writeFileSync(dir.join(`f${file}`), "");
  before(dir);
  for (let file = half; file < files; file++) writeFileSync(dir.join(`f${file}`), "");
  const { table, told } = polled(dir.path);
  Bun.sleepSync(2 * intervalMs);
  table.startRound();
  for (let slice = 0; slice < slices && table.isLooking; slice++) table.lookOn(0);
  const isMidway = table.isLooking;
  acts(dir);
  table.lookOn(Infinity);
  for (let round = 0; round < roundsAfter; round++) {
    Bun.sleepSync(2 * intervalMs);
    table.startRound();
    table.lookOn(Infinity);
  }
  const text = told.toSorted().join(", ");
  if (text !== expected.join(", ")) faults.add(`${files} files, ${slices} slices: ${text}`);
  return isMidway;
}
