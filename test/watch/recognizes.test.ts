/** A directory is known again by what it is, whatever is at its path; asking leaves no watch behind. */
import { describe, expect } from "bun:test";
import { readFileSync, renameSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { eventBits } from "../../src/event.ts";
import { FanotifyBackend } from "../../src/watch/fanotify.ts";
import { InotifyBackend } from "../../src/watch/inotify.ts";
import { needsRoot } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = needsRoot("uses fanotify");

const want = {
  events: eventBits.create,
  children: false,
  directories: true,
  permissions: 0,
  isTop: true,
  isStrict: false,
};

const backends = [
  { name: "fanotify", open: () => new FanotifyBackend(process.pid) },
  { name: "inotify", open: () => new InotifyBackend() },
];

describe.each(backends)("$name", ({ open }) => {
  rootTest("knows its directory, and no other that is at the path by now", () => {
    const dir = tempDir();
    const path = (name: string) => cString(utf8(dir.join(name)));
    for (const name of ["a", "b", "c"]) dir.mkdir(name);
    const backend = open();
    const [a, b] = [backend.add(path("a"), true, want), backend.add(path("b"), true, want)];
    expect(backend.recognizes(a, path("a"))).toBe(true);
    expect(backend.recognizes(a, path("b"))).toBe(false);
    expect(backend.recognizes(a, path("c"))).toBe(false);
    renameSync(dir.join("a"), dir.join("d"));
    renameSync(dir.join("c"), dir.join("a"));
    expect(backend.recognizes(a, path("a"))).toBe(false);
    expect(backend.recognizes(a, path("d"))).toBe(true);
    expect(backend.recognizes(b, path("b"))).toBe(true);
    expect(marksOf(backend.fd)).toBe(2);
    backend.close();
  });
});

/** What the kernel has, proc_pid_fdinfo(5). */
function marksOf(fd: number): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, "utf8");
  return text.match(/^(inotify wd|fanotify ino):/gm)?.length ?? 0;
}
