/** Records that were read before their turn, a few at a time, are delivered together. */
import { describe, expect } from "bun:test";
import { mkdirSync, renameSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import type { Backend, EventSink } from "../../src/watch/backend.ts";
import { FanotifyBackend } from "../../src/watch/fanotify.ts";
import { InotifyBackend } from "../../src/watch/inotify.ts";
import { Node, type Root } from "../../src/watch/tree.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = needsRoot("uses fanotify");
const { create, moved_from, moved_to } = eventBits;
const want = {
  events: create | moved_from | moved_to,
  children: false,
  directories: true,
  permissions: 0,
  isTop: true,
  isStrict: false,
};

const backends: { name: string; open: () => Backend; readAhead: (backend: Backend) => void }[] = [
  {
    name: "fanotify",
    open: () => new FanotifyBackend(0),
    readAhead: ({ filesystems }) => filesystems!.readAhead(),
  },
  {
    name: "inotify",
    open: () => new InotifyBackend(),
    readAhead: (backend) => backend.readAhead(),
  },
];

describe.each(backends)("$name", ({ open, readAhead }) => {
  rootTest("delivers in one read what was read ahead record by record, in its order", () => {
    const dir = tempDir();
    const backend = open();
    const mark = backend.add(cString(utf8(dir.path)), true, want);
    const root = { path: utf8(dir.path), top: { kernelEvents: 0 } } as unknown as Root;
    mark.nodes = [new Node(root, mark, { parent: null, name: root.path })];
    const names = Array.from({ length: 100 }, (_, n) => `d${n}`);
    for (const name of names) {
      mkdirSync(dir.join(name));
      readAhead(backend);
    }
    renameSync(dir.join("d0"), dir.join("e0"));
    readAhead(backend);
    expect(backend.queuedBytes === 0 || backend.hasAhead).toBe(true);
    const told: string[] = [];
    expect(backend.read(sinkOf(told))).toBeGreaterThan(0);
    expect(told).toEqual([...names, "d0", "e0"]);
    expect(backend.hasAhead).toBe(false);
    expect(backend.position).toBe(backend.end);
    expect(backend.read(sinkOf(told))).toBe(0);
    backend.close();
  });
});

/** Keeps the names of entries. */
function sinkOf(told: string[]): EventSink {
  const nothing = (): void => {};
  return {
    child: (_node, _events, _isDirectory, name, start, end) =>
      void told.push(Buffer.from(name.subarray(start, end)).toString()),
    self: nothing,
    renamed: nothing,
    beginGroup: nothing,
    endGroup: nothing,
    directoryEntry: nothing,
    directoryMoved: nothing,
    markGone: nothing,
    overflow: nothing,
  };
}
