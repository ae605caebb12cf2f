/** A rest begins with the last read, whatever else wakes the reader meanwhile. */
import { expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { Rests } from "../../src/reader/rests.ts";
import type { EventSink } from "../../src/watch/backend.ts";
import { renameWaitMs } from "../../src/watch/awaited.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watched } from "../watch/inotify-tree.ts";

test("a table rests for the whole time, however often it is asked", async () => {
  const rests = new Rests();
  const table = {};
  expect(rests.leftMs(table)).toBe(renameWaitMs);
  const asked = performance.now();
  while (performance.now() - asked < renameWaitMs / 2)
    expect(rests.leftMs(table)).toBeWithin(1, renameWaitMs + 1);
  await waitFor(() => rests.leftMs(table) === 0, { what: "the end of the rest" });
  expect(performance.now() - asked).toBeGreaterThan(renameWaitMs - 1);
});

test("a read begins the rest anew, and only that of its table", async () => {
  const rests = new Rests();
  const [read, other] = [{}, {}];
  for (const table of [read, other]) rests.leftMs(table);
  await waitFor(() => rests.leftMs(read) === 0 && rests.leftMs(other) === 0, { what: "both" });
  rests.end(read);
  expect(rests.leftMs(read)).toBe(renameWaitMs);
  expect(rests.leftMs(other)).toBe(0);
});

test("a directory keeps its watch if the reader wakes often between the halves of its rename", async () => {
  const dir = tempDir();
  dir.mkdir("D/a/b");
  const { table, watches, sink } = await watched(dir, "D");
  const before = watches();
  const rests = new Rests();
  renameSync(dir.join("D/a"), dir.join("D/z"));
  const halves: Parameters<EventSink["directoryEntry"]>[] = [];
  table.backend.read({ ...sink, directoryEntry: (...half) => void halves.push(half) });
  expect(halves.length).toBe(2);
  table.directoryEntry(...halves[0]!);
  expect(table.isUnsettled).toBe(true);
  for (let wake = 0; wake < 100; wake++) if (rests.leftMs(table) === 0) table.settle();
  table.directoryEntry(...halves[1]!);
  expect(watches()).toEqual(before);
  expect(table.isUnsettled).toBe(false);
  table.backend.close();
});
