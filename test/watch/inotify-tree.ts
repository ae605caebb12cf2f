/** A tree that is watched by inotify, for tests that read its records themselves. */
import { mkdirSync, rmdirSync } from "node:fs";
import { utf8 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import { Interests } from "../../src/rule/matcher.ts";
import { RuleSet } from "../../src/rule/rule-set.ts";
import { noDisk } from "../../src/rule/subject.ts";
import type { EventSink } from "../../src/watch/backend.ts";
import { InotifyBackend } from "../../src/watch/inotify.ts";
import { OwnOutputs } from "../../src/watch/own-outputs.ts";
import { WatchTable } from "../../src/watch/watch-table.ts";
import type { TempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { marksIn } from "../reader/fdinfo.ts";

const nothing = (): void => {};

/** A tree that is watched, and a reader of its records that never settles. */
export async function watched(dir: TempDir, top: string) {
  const table = new WatchTable(new InotifyBackend(), {
    log: { info: nothing, warn: nothing, error: nothing },
    ownOutputs: new OwnOutputs([]),
    observer: {
      newDirectory: nothing,
      compared: nothing,
      placeDropped: nothing,
      rootReplaced: nothing,
      versionPassed: nothing,
      rootGone: nothing,
      isWanted: () => true,
    },
  });
  const rule = {
    name: "1",
    watch: [],
    backend: "inotify",
    condition: [{ groups: [eventBits.attrib], children: true, directories: true }],
    runs: false,
    once: false,
  } as const;
  const rules = new RuleSet([rule], null, noDisk);
  const all = new Interests(rules, [{ rule: 0, self: false, children: true }]);
  const { backend } = table;
  const root = utf8(dir.join(top));
  table.roots.set(root, { top: all, below: all, belowHidden: all, isStrict: true });
  const sink: EventSink = {
    self: nothing,
    child: nothing,
    renamed: nothing,
    beginGroup: nothing,
    endGroup: nothing,
    directoryEntry: (node, entry) => table.directoryEntry(node, entry),
    directoryMoved: nothing,
    markGone: (mark, reason) => table.markGone(mark, reason),
    overflow: nothing,
  };
  const readOn = (): void => {
    mkdirSync(dir.join(top, "busy"));
    rmdirSync(dir.join(top, "busy"));
    backend.read(sink);
    table.afterRead();
    table.walk(64);
  };
  const watches = (): number[] => marksIn(process.pid, [`${backend.fd}`]).map(({ wd }) => wd);
  await waitFor(() => (table.walk(64), !table.isWalking), { what: "the walk" });
  return { table, readOn, watches, sink };
}
