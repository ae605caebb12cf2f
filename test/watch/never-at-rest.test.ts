/** Where records never cease there is no moment to settle in: what has left is given up all the same. */
import { expect, test } from "bun:test";
import { renameSync } from "node:fs";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { watched } from "./inotify-tree.ts";

test("what is moved out is given up, and what was expected in it", async () => {
  const dir = tempDir();
  dir.mkdir("D/a/b");
  dir.mkdir("out");
  const { table, readOn, watches } = await watched(dir, "D");
  expect(watches().length).toBe(3);
  dir.mkdir("D/a/b/new");
  renameSync(dir.join("D/a/b"), dir.join("out/b"));
  renameSync(dir.join("D/a"), dir.join("out/a"));
  const rests = () => (readOn(), watches().length === 1 && !table.needsWalk && !table.isUnsettled);
  await waitFor(rests, { what: "one watch", state: () => `${watches().length} watches` });
  table.backend.close();
});

test("what is moved into a directory that is not found yet keeps its watch", async () => {
  const dir = tempDir();
  dir.mkdir("D/a/b");
  const { table, readOn, watches, sink } = await watched(dir, "D");
  const before = watches();
  dir.mkdir("D/new");
  renameSync(dir.join("D/a"), dir.join("D/new/a"));
  table.backend.read(sink);
  const start = performance.now();
  await waitFor(() => performance.now() - start > 50, { what: "the time that an arrival has" });
  await waitFor(() => (readOn(), !table.needsWalk && !table.isUnsettled), { what: "rest" });
  expect(watches()).toEqual(expect.arrayContaining(before));
  expect(watches().length).toBe(4);
  table.backend.close();
});

test("a comparison does not give up what is moved into a directory that it has seen", async () => {
  const dir = tempDir();
  dir.mkdir("D/unseen/a");
  dir.mkdir("D/seen"); // tmpfs lists the newest first
  const { table, readOn, watches } = await watched(dir, "D");
  const before = watches();
  table.compareAll();
  table.walk(2); // D and D/seen
  renameSync(dir.join("D/unseen/a"), dir.join("D/seen/a"));
  while (table.isWalking) table.walk(1);
  for (let read = 0; read < 3; read++) readOn();
  expect(watches()).toEqual(before);
  table.backend.close();
});

test("a tree in doubt is compared with the disk", async () => {
  const dir = tempDir();
  dir.mkdir("D/a");
  const { table, readOn } = await watched(dir, "D");
  table.doubt();
  await waitFor(() => (readOn(), !table.isUnsettled), { what: "the comparison" });
  table.backend.close();
});
