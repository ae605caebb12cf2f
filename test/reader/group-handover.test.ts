/** The handover between two groups that hear of the same: each record is told by exactly one of them. */
import { expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { type Group, groupOf, handOver, nothingWatched } from "../../src/reader/group-handover.ts";
import type { WatchTable } from "../../src/watch/watch-table.ts";
import type { EventSink } from "../../src/watch/backend.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { watched } from "../watch/inotify-tree.ts";

/** What happens is queued in both groups, as the kernel does it; `meanwhile` is called before each read. */
class TwoGroups {
  readonly told: number[] = [];
  readonly from = this.#group((record) => this.told.push(record));
  readonly to = this.#group(() => {});
  #next = 0;
  readonly #meanwhile: () => void;

  constructor(meanwhile: (groups: TwoGroups) => void = () => {}) {
    this.#meanwhile = () => meanwhile(this);
  }

  happen(): void {
    const record = this.#next++;
    this.from.queue.push(record);
    this.to.queue.push(record);
  }

  get happened(): number {
    return this.#next;
  }

  #group(tell: (record: number) => void): Group & { queue: number[] } {
    const queue: number[] = [];
    return {
      ...nothingWatched,
      queue,
      get queuedBytes() {
        return queue.length;
      },
      read: () => {
        this.#meanwhile();
        const record = queue.shift();
        if (record === undefined) return 0;
        tell(record);
        return 1;
      },
    };
  }
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

test("what is queued in both is told by the first, and the second starts empty", () => {
  const groups = new TwoGroups();
  for (let i = 0; i < 5; i++) groups.happen();
  expect(handOver(groups.from, groups.to)).toBe(true);
  expect(groups.told).toEqual(upTo(5));
  expect(groups.to.queue).toEqual([]);
});

test.each([...Array(40).keys()])("a record before the read with number %i is told once", (at) => {
  let reads = 0;
  const groups = new TwoGroups((all) => {
    if (reads++ === at) all.happen();
  });
  groups.happen();
  expect(handOver(groups.from, groups.to)).toBe(true);
  // What the first has not told the second still has, and nothing that it has told.
  expect([...groups.told, ...groups.to.queue]).toEqual(upTo(groups.happened));
});

test("a record that the kernel gives to the second group a moment before the first is told", () => {
  const groups = new TwoGroups();
  let asked = 0;
  let late: number[] = [];
  const read = groups.to.read.bind(groups.to);
  const to: Group = {
    ...nothingWatched,
    read: () => {
      if (asked === 0 && late.length === 0) {
        groups.to.queue.push(0);
        late = [0];
      }
      return read();
    },
    // Between two questions, when the first group seemed to be empty.
    get queuedBytes() {
      if (asked++ === 0) groups.from.queue.push(...late);
      return groups.to.queue.length;
    },
  };
  expect(handOver(groups.from, to)).toBe(true);
  expect([...groups.told, ...groups.to.queue]).toEqual([0]);
});

test("without a quiet moment it ends, and says that records may be told twice", () => {
  let reads = 0;
  // Quiet only for as long as it takes to read all of both once.
  const groups = new TwoGroups((all) => {
    if (reads++ % 3 === 0) all.happen();
  });
  expect(handOver(groups.from, groups.to)).toBe(false);
});

test("a directory that is still to be found is walked before the handover, and what waits is settled", () => {
  const done: string[] = [];
  let walks = 3;
  let isUnsettled = true;
  const from: Group = {
    ...nothingWatched,
    get isWalking() {
      return walks > 0;
    },
    get walksOn() {
      return walks > 0;
    },
    walk: () => {
      walks--;
      done.push("walk");
    },
    get isUnsettled() {
      return isUnsettled;
    },
    settle: () => {
      isUnsettled = false;
      done.push("settle");
    },
  };
  expect(handOver(from, nothingWatched)).toBe(true);
  expect(done).toEqual(["walk", "walk", "walk", "settle"]);
});

/** What is left when no record can come that would tell more. */
function handedOver(table: WatchTable, sink: EventSink): boolean {
  const read = (): number => {
    const length = table.backend.read(sink);
    table.afterRead();
    return length;
  };
  return handOver(groupOf(table, { read, settle: () => table.settle() }), nothingWatched);
}

test("a directory that is expected in one that has left for good is not waited for", async () => {
  const dir = tempDir();
  dir.mkdir("D/a");
  dir.mkdir("out");
  const { table, watches, sink } = await watched(dir, "D");
  dir.mkdir("D/a/new");
  renameSync(dir.join("D/a"), dir.join("out/a"));
  expect(handedOver(table, sink)).toBe(true);
  expect(watches().length).toBe(1);
  table.backend.close();
});

test("a directory that has left for good before it was walked is not waited for", async () => {
  const dir = tempDir();
  dir.mkdir("D/a/b");
  dir.mkdir("out");
  const { table, watches, sink } = await watched(dir, "D");
  table.compareAll();
  table.walk(1);
  renameSync(dir.join("D/a"), dir.join("out/a"));
  expect(handedOver(table, sink)).toBe(true);
  expect(watches().length).toBe(1);
  table.backend.close();
});
