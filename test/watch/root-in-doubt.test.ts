/** After lost records the watched paths are looked at: of one that has gone, what is queued is still told. */
import { describe, expect } from "bun:test";
import { rmSync } from "node:fs";
import { utf8 } from "../../ffi/bytes.ts";
import { eventBits, namesOf } from "../../src/event.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { RuleSet } from "../../src/rule/rule-set.ts";
import { noDisk } from "../../src/rule/subject.ts";
import type { EventSink } from "../../src/watch/backend.ts";
import { FanotifyBackend } from "../../src/watch/fanotify.ts";
import { InotifyBackend } from "../../src/watch/inotify.ts";
import { OwnOutputs } from "../../src/watch/own-outputs.ts";
import { WatchTable } from "../../src/watch/watch-table.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = needsRoot("uses fanotify");

const backends = [
  // The tests' own process is not to be left out.
  { name: "fanotify", open: () => new FanotifyBackend(0) },
  { name: "inotify", open: () => new InotifyBackend() },
];

describe.each(backends)("WatchTable.compareAll, $name", ({ open }) => {
  rootTest("leaves a root that is gone where it is until its own end is read", () => {
    const dir = tempDir();
    const backend = open();
    let goneRoots = 0;
    const table = new WatchTable(backend, {
      log: { info() {}, warn() {}, error() {} },
      ownOutputs: new OwnOutputs([]),
      observer: {
        newDirectory() {},
        compared() {},
        placeDropped() {},
        rootReplaced() {},
        versionPassed() {},
        rootGone: () => void goneRoots++,
        isWanted: () => true,
      },
    });
    const root = table.roots.set(utf8(dir.mkdir("D")), { ...wants(), isStrict: false });
    rmSync(dir.join("D"), { recursive: true });
    table.compareAll();
    expect(goneRoots).toBe(0);
    const told: string[] = [];
    while (backend.read(sinkOf(told)) > 0) table.afterRead();
    expect(told).toContain("delete_self");
    expect(goneRoots).toBe(1);
    expect(root.node).toBeNull();
    backend.close();
  });
});

function wants() {
  const condition = [{ groups: [eventBits.delete_self], children: false, directories: true }];
  const rule = {
    name: "1",
    watch: [],
    backend: "auto",
    condition,
    runs: false,
    once: false,
  } as const;
  const rules = new RuleSet([rule], null, noDisk);
  const top = new Interests(rules, [{ rule: 0, self: true, children: false }]);
  return { top, below: null, belowHidden: null };
}

/** Only notes what happened to the watched paths themselves. */
function sinkOf(told: string[]): EventSink {
  return {
    self: (_node, events) => void told.push(...namesOf(events)),
    child() {},
    renamed() {},
    beginGroup() {},
    endGroup() {},
    directoryEntry() {},
    directoryMoved() {},
    markGone() {},
    overflow() {},
  };
}
