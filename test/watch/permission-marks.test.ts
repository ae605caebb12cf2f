/** Permission marks beside those of a tree, whatever becomes of it, with either backend telling of it. */
import { describe, expect } from "bun:test";
import { readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { utf8 } from "../../ffi/bytes.ts";
import { SyscallError } from "../../ffi/errno.ts";
import { FAN_EVENT_ON_CHILD, FAN_OPEN_PERM } from "../../ffi/fanotify/abi.ts";
import { permissionGroup } from "../../ffi/fanotify/permission.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { RuleSet } from "../../src/rule/rule-set.ts";
import { Recoveries } from "../../src/reader/recoveries.ts";
import { CatchUp } from "../../src/watch/catch-up.ts";
import type { EventSink } from "../../src/watch/backend.ts";
import { FanotifyBackend } from "../../src/watch/fanotify.ts";
import { GatedBackend } from "../../src/watch/gated-backend.ts";
import { Ladder, openReal } from "../../src/watch/ladder.ts";
import { OwnOutputs } from "../../src/watch/own-outputs.ts";
import { PermissionMarks } from "../../src/watch/permission-marks.ts";
import { WatchTable } from "../../src/watch/watch-table.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { requires } from "../helpers/requires.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const rootTest = requires({ root: "has a group that decides" });

const nothing = (): void => {};

/** Nobody answers: until the group is closed, no file in a directory that it has a mark on may be opened. */
const mask = FAN_OPEN_PERM | FAN_EVENT_ON_CHILD;

function tableOf(name: "fanotify" | "inotify", group: number) {
  const permissions = new PermissionMarks(nothing);
  permissions.use(group);
  const open = { ...openReal, fanotify: () => new FanotifyBackend(-1) };
  const ladder = new Ladder(open, (first, spares) => new GatedBackend(first, spares, permissions));
  const backend = ladder.backend(name);
  if (backend instanceof SyscallError) throw backend;
  atTestEnd(() => backend.close());
  const table = new WatchTable(backend, {
    serves: "gates",
    log: { info: nothing, warn: nothing, error: nothing },
    ownOutputs: new OwnOutputs([]),
    observer: {
      ...{ newDirectory: nothing, compared: nothing, placeDropped: nothing, rootGone: nothing },
      ...{ rootReplaced: nothing, versionPassed: nothing, isWanted: () => true },
    },
  });
  return { table, permissions };
}

/** What is read is dropped. */
const lost: EventSink = {
  ...{ self: nothing, child: nothing, renamed: nothing, beginGroup: nothing, endGroup: nothing },
  ...{ directoryEntry: nothing, directoryMoved: nothing, markGone: nothing, overflow: nothing },
};

/** As the loop does, but for rules. */
function follow(table: WatchTable): void {
  const sink: EventSink = {
    ...lost,
    self: ({ root, parent }) => parent === null && table.checks.check(root, "moved"),
    directoryEntry: (node, entry) => table.directoryEntry(node, entry),
    directoryMoved: (move) => table.directoryMoved(move),
    markGone: (mark, reason) => table.markGone(mark, reason),
  };
  while (table.backend.read(sink) > 0) table.afterRead();
  for (let slice = 0; table.needsWalk && slice < 100; slice++) table.walk(64);
  table.settle();
}

function setRoot(table: WatchTable, path: string, permissions = mask): void {
  const gate = { name: "g", watch: [], condition: [], runs: false };
  const rules = new RuleSet([gate]);
  const all = new Interests(rules, [{ rule: 0, self: true, children: true, permissions }]);
  table.roots.set(utf8(path), { top: all, below: all, belowHidden: all, isStrict: false });
  follow(table);
}

/** Inodes that the group has marks on. */
function marked(group: number): number[] {
  const info = readFileSync(`/proc/self/fdinfo/${group}`, "utf8");
  return [...info.matchAll(/^fanotify ino:([0-9a-f]+) /gm)]
    .map(([, ino]) => parseInt(ino!, 16))
    .sort((a, b) => a - b);
}

function directoriesIn(path: string): number[] {
  const below = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  return [path, ...below].map((one) => statSync(one).ino).sort((a, b) => a - b);
}

describe.each(["fanotify", "inotify"] as const)("told by %s", (name) => {
  const acts: Readonly<Record<string, (dir: TempDir) => void>> = {
    "nothing happens": () => {},
    "directories are made": (dir) => void dir.mkdir("T/a/b/c/d"),
    "one is renamed in": (dir) => renameSync(dir.join("beside"), dir.join("T/in")),
    "one is renamed inside": (dir) => renameSync(dir.join("T/A"), dir.join("T/D/A")),
    "one is renamed to a hidden name": (dir) => renameSync(dir.join("T/A"), dir.join("T/.A")),
    "one is removed": (dir) => rmSync(dir.join("T/A"), { recursive: true }),
    "one is removed and made again": (dir) => {
      rmSync(dir.join("T/A"), { recursive: true });
      dir.mkdir("T/A/C");
    },
    "the root is replaced": (dir) => {
      rmSync(dir.join("T"), { recursive: true });
      renameSync(dir.join("beside"), dir.join("T"));
    },
  };

  for (const [what, act] of Object.entries(acts))
    rootTest(`there is one on each directory, and on no other, when ${what}`, async () => {
      const dir = tempDir();
      for (const path of ["T/A/B", "T/D", "beside/E"]) dir.mkdir(path);
      const group = permissionGroup({ preContent: false, audit: false });
      atTestEnd(() => group.close());
      const { table, permissions } = tableOf(name, group.number);
      setRoot(table, dir.join("T"));
      act(dir);
      await waitFor(
        () => {
          follow(table);
          return Bun.deepEquals(marked(group.number), directoriesIn(dir.join("T")));
        },
        { what: "the marks", state: () => `${marked(group.number)}` },
      );
      expect(permissions.count).toBe(directoriesIn(dir.join("T")).length);
    });

  rootTest("there is none when nothing is to be held any more, and none when the root goes", () => {
    const dir = tempDir();
    dir.mkdir("T/A/B");
    const group = permissionGroup({ preContent: false, audit: false });
    atTestEnd(() => group.close());
    const { table, permissions } = tableOf(name, group.number);
    setRoot(table, dir.join("T"));
    setRoot(table, dir.join("T"), 0);
    expect(marked(group.number)).toEqual([]);
    setRoot(table, dir.join("T"));
    expect(marked(group.number)).toEqual(directoriesIn(dir.join("T")));
    for (const root of [...table.roots.values()]) table.roots.remove(root);
    expect(marked(group.number)).toEqual([]);
    expect(permissions.count).toBe(0);
  });

  rootTest("what lost records told of is found, and the log says what it means for gates", () => {
    const dir = tempDir();
    dir.mkdir("T");
    const group = permissionGroup({ preContent: false, audit: false });
    atTestEnd(() => group.close());
    const { table } = tableOf(name, group.number);
    setRoot(table, dir.join("T"));
    dir.mkdir("T/A/B");
    while (table.backend.read(lost) > 0);
    const log: string[] = [];
    const say = (text: string): void => void log.push(text);
    const recoveries = new Recoveries({
      catchUp: new CatchUp(nothing),
      log: { info: say, warn: say, error: say },
    });
    recoveries.lost(table);
    for (let step = 0; recoveries.isActive && step < 100; step++) {
      recoveries.step();
      follow(table);
    }
    expect(marked(group.number)).toEqual(directoriesIn(dir.join("T")));
    expect(log).toEqual([
      expect.stringMatching(
        /^Gates may be missing on new directories until a look has found them: /,
      ),
    ]);
  });

  rootTest("roots in each other: what one gives up stays with the other", () => {
    const dir = tempDir();
    dir.mkdir("T/A/B");
    const group = permissionGroup({ preContent: false, audit: false });
    atTestEnd(() => group.close());
    const { table } = tableOf(name, group.number);
    setRoot(table, dir.join("T"));
    setRoot(table, dir.join("T/A"));
    const [inner] = [...table.roots.values()].filter(({ path }) => path.at(-1) === 0x41);
    table.roots.remove(inner!);
    expect(marked(group.number)).toEqual(directoriesIn(dir.join("T")));
  });
});

rootTest("two backends may have marks on one inode: it goes with the last", () => {
  const dir = tempDir();
  dir.mkdir("T/A");
  const group = permissionGroup({ preContent: false, audit: false });
  atTestEnd(() => group.close());
  const permissions = new PermissionMarks(nothing);
  permissions.use(group.number);
  const path = new Uint8Array([...utf8(dir.join("T")), 0]);
  const markOf = () => ({ isDirectory: true, identity: null, nodes: [], names: null, mask: 1 });
  const [a, b] = [markOf(), markOf()];
  permissions.add(a, path, mask);
  permissions.add(b, path, mask);
  permissions.remove(a, path);
  expect(marked(group.number)).toEqual([statSync(dir.join("T")).ino]);
  permissions.remove(b, path);
  expect(marked(group.number)).toEqual([]);
});

rootTest("a mark is not taken from another inode that has come to the path", () => {
  const dir = tempDir();
  const [a, b] = [dir.mkdir("A"), dir.mkdir("B")];
  const group = permissionGroup({ preContent: false, audit: false });
  atTestEnd(() => group.close());
  const permissions = new PermissionMarks(nothing);
  permissions.use(group.number);
  const mark = { isDirectory: true, identity: null, nodes: [], names: null, mask: 1 };
  const path = new Uint8Array([...utf8(a), 0]);
  permissions.add(mark, path, mask);
  permissions.add({ ...mark }, new Uint8Array([...utf8(b), 0]), mask);
  renameSync(a, dir.join("old"));
  renameSync(b, a);
  permissions.remove(mark, path);
  expect(marked(group.number)).toContain(statSync(a).ino);
});
