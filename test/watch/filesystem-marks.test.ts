/** What is remembered of directories that are on a watched filesystem and below no root. */
import { expect, test } from "bun:test";
import { HandleTable } from "../../src/watch/handle-table.ts";
import { FanotifyAhead } from "../../src/watch/fanotify-ahead.ts";
import {
  elsewhereMax,
  type FanotifyMark,
  FilesystemMarks,
} from "../../src/watch/filesystem-marks.ts";

function identityOf(number: number): Uint8Array {
  const bytes = new Uint8Array(24);
  new DataView(bytes.buffer).setUint32(16, number, true);
  return bytes;
}

function open(): { marks: HandleTable<FanotifyMark>; filesystems: FilesystemMarks } {
  const marks = new HandleTable<FanotifyMark>();
  const filesystems = new FilesystemMarks({
    fd: () => -1,
    marks,
    ahead: new FanotifyAhead(4096, Infinity),
    kernelMask: () => 0,
    recordInHand: () => 0,
    readAhead: () => {},
  });
  return { marks, filesystems };
}

test("the oldest directories that are elsewhere are forgotten, and those in the tree are not", () => {
  const { marks, filesystems } = open();
  const inTree = filesystems.know(identityOf(1));
  filesystems.found(identityOf(1));
  inTree.nodes = [{} as never];
  for (let n = 2; n < 3 * elsewhereMax; n++) filesystems.found(identityOf(n));
  expect(marks.size).toBe(elsewhereMax + 1);
  expect(filesystems.markOf(identityOf(1))).toBe(inTree as FanotifyMark);
  expect(filesystems.markOf(identityOf(2))).toBeNull();
  expect(filesystems.isFound(identityOf(3 * elsewhereMax - 1))).toBe(true);
});

test("a directory that was elsewhere is looked for again when one has come in", () => {
  const { filesystems } = open();
  filesystems.found(identityOf(1));
  expect(filesystems.isFound(identityOf(1))).toBe(true);
  filesystems.lookAgain();
  expect(filesystems.isFound(identityOf(1))).toBe(false);
});

test("one that is found elsewhere again and again is remembered once", () => {
  const { marks, filesystems } = open();
  for (let n = 0; n < 2 * elsewhereMax; n++) {
    filesystems.lookAgain();
    filesystems.found(identityOf(1));
  }
  for (let n = 2; n < 10; n++) filesystems.found(identityOf(n));
  expect(marks.size).toBe(9);
});
