/** inotify's calls against the real kernel, read back through the cursor. */
import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { lossyText } from "../../../ffi/bytes.ts";
import { type Fd, bytesReadable, O, openFd, readNow, writeNow } from "../../../ffi/fd.ts";
import {
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_ONLYDIR,
  IN_Q_OVERFLOW,
} from "../../../ffi/inotify/abi.ts";
import { inotifyAddWatch, inotifyInit, inotifyRemoveWatch } from "../../../ffi/inotify/calls.ts";
import { InotifyReader } from "../../../ffi/inotify/reader.ts";
import { cPath } from "../../helpers/c-path.ts";
import { tempDir } from "../../helpers/temp-dir.ts";

const buffer = new Uint8Array(64 * 1024);
const reader = new InotifyReader(buffer);

/** Everything that is queued: inotify queues before the call that made the event returns. */
function readAll(queue: Fd) {
  const records = [];
  for (let length = readNow(queue.number, buffer); length !== -1;) {
    reader.reset(length);
    while (reader.next()) {
      const { wd, mask, cookie, nameStart, nameEnd } = reader;
      records.push({ wd, mask, cookie, name: buffer.slice(nameStart, nameEnd) });
    }
    length = readNow(queue.number, buffer);
  }
  return records;
}

/** The last record of the queue, however many there are. */
function lastRecord(queue: Fd) {
  let length: number;
  while ((length = readNow(queue.number, buffer)) !== -1) {
    reader.reset(length);
    while (reader.next());
  }
  return { wd: reader.wd, mask: reader.mask };
}

function maskAndName({ mask, name }: { mask: number; name: Uint8Array }): [number, string] {
  return [mask, lossyText(name)];
}

const sysctl = "/proc/sys/fs/inotify/max_queued_events";

/** A queue that is soon full: inotify_init1(2) takes the limit of its moment, which root may lower. */
function shortQueue(): { queue: Fd; queuedEventsMax: number } {
  const before = readFileSync(sysctl, "utf8");
  if (process.geteuid?.() === 0) writeFileSync(sysctl, "1000");
  try {
    return { queuedEventsMax: Number(readFileSync(sysctl, "utf8")), queue: inotifyInit() };
  } finally {
    if (process.geteuid?.() === 0) writeFileSync(sysctl, before);
  }
}

describe("inotify", () => {
  test("has nothing to read at first", () => {
    using queue = inotifyInit();
    expect(bytesReadable(queue.number)).toBe(0);
    expect(readNow(queue.number, buffer)).toBe(-1);
  });

  test("reports creating, writing, closing and deleting by name", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    const mask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_DELETE;
    const wd = inotifyAddWatch(queue.number, cPath(dir.path), mask);
    writeFileSync(dir.join("a file.csv"), "x");
    rmSync(dir.join("a file.csv"));
    mkdirSync(dir.join("d"));
    expect(bytesReadable(queue.number)).toBe(4 * 32 + 32);
    const records = readAll(queue);
    expect(records.map(maskAndName)).toEqual([
      [IN_CREATE, "a file.csv"],
      [IN_MODIFY, "a file.csv"],
      [IN_CLOSE_WRITE, "a file.csv"],
      [IN_DELETE, "a file.csv"],
      [IN_CREATE | IN_ISDIR, "d"],
    ]);
    expect(records.every((record) => record.wd === wd)).toBe(true);
  });

  test("gives both halves of a rename one cookie", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    dir.write("old");
    inotifyAddWatch(queue.number, cPath(dir.path), IN_MOVED_FROM | IN_MOVED_TO);
    renameSync(dir.join("old"), dir.join("new"));
    const records = readAll(queue);
    expect(records.map(maskAndName)).toEqual([
      [IN_MOVED_FROM, "old"],
      [IN_MOVED_TO, "new"],
    ]);
    expect(records[0]!.cookie).toBeGreaterThan(0);
    expect(records[1]!.cookie).toBe(records[0]!.cookie);
  });

  test("gives names byte for byte, the longest too", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    inotifyAddWatch(queue.number, cPath(dir.path), IN_CREATE);
    const names = [
      Uint8Array.of(0xff, 0x20, 0x0a),
      new Uint8Array(255).fill(0xe4),
      Uint8Array.of(0x61),
    ];
    for (const name of names) openFd(cPath(dir.path, name), O.WRONLY | O.CREAT, 0o600).close();
    expect(readAll(queue).map(({ name }) => name)).toEqual(names);
  });

  test("gives two paths to one inode one wd, and the second mask replaces the first", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    const first = inotifyAddWatch(queue.number, cPath(dir.path), IN_CREATE);
    expect(inotifyAddWatch(queue.number, cPath(`${dir.path}/.`), IN_DELETE)).toBe(first);
    dir.write("a");
    rmSync(dir.join("a"));
    expect(readAll(queue).map(({ mask }) => mask)).toEqual([IN_DELETE]);
  });

  test("adds to a mask with IN_MASK_ADD", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    inotifyAddWatch(queue.number, cPath(dir.path), IN_CREATE);
    inotifyAddWatch(queue.number, cPath(dir.path), IN_DELETE | IN_MASK_ADD);
    dir.write("a");
    rmSync(dir.join("a"));
    expect(readAll(queue).map(({ mask }) => mask)).toEqual([IN_CREATE, IN_DELETE]);
  });

  test("answers the removal of a watch with IN_IGNORED, and a second removal with EINVAL", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    const wd = inotifyAddWatch(queue.number, cPath(dir.path), IN_CREATE);
    inotifyRemoveWatch(queue.number, wd);
    dir.write("unseen");
    expect(readAll(queue)).toMatchObject([{ wd, mask: IN_IGNORED }]);
    const again = () => inotifyRemoveWatch(queue.number, wd);
    expect(again).toThrow("inotify_rm_watch: invalid argument");
  });

  test("says that a watched directory is gone", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    inotifyAddWatch(queue.number, cPath(dir.mkdir("d")), IN_DELETE_SELF);
    rmSync(dir.join("d"), { recursive: true });
    expect(readAll(queue).map(({ mask }) => mask)).toEqual([IN_DELETE_SELF, IN_IGNORED]);
  });

  test("reports an overflow with wd -1", () => {
    using dir = tempDir();
    const { queue: opened, queuedEventsMax } = shortQueue();
    using queue = opened;
    using a = openFd(cPath(dir.write("a")), O.WRONLY | O.APPEND);
    using b = openFd(cPath(dir.write("b")), O.WRONLY | O.APPEND);
    inotifyAddWatch(queue.number, cPath(dir.path), IN_MODIFY);
    const byte = new Uint8Array(1);
    // By turns: inotify merges a record with the one before it.
    for (let i = 0; i <= queuedEventsMax; i++) writeNow((i % 2 === 0 ? a : b).number, byte);
    expect(bytesReadable(queue.number)).toBe(queuedEventsMax * 32 + 16);
    expect(lastRecord(queue)).toEqual({ wd: -1, mask: IN_Q_OVERFLOW });
  });

  test("throws what is wrong with the path", () => {
    using dir = tempDir();
    using queue = inotifyInit();
    const add = (path: string, mask = IN_CREATE) =>
      inotifyAddWatch(queue.number, cPath(path), mask);
    expect(() => add(dir.join("none"))).toThrow("inotify_add_watch: no such file or directory");
    const file = dir.write("file");
    expect(() => add(file, IN_CREATE | IN_ONLYDIR)).toThrow("inotify_add_watch: not a directory");
    expect(() => add(dir.path, 0)).toThrow("inotify_add_watch: invalid argument");
  });
});
