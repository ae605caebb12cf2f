/** A directory that is held open, on every filesystem: what comes after it was opened is in it too. */
import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import type { Entry } from "../../ffi/files.ts";
import { OpenDirectory } from "../../src/watch/open-directory.ts";
import { filesystems } from "../contract/filesystems.ts";
import { requires } from "../helpers/requires.ts";
import { tempDir } from "../helpers/temp-dir.ts";

function namesIn(directory: OpenDirectory): string[] {
  const entries: Entry[] = [];
  directory.addTo(entries);
  return entries
    .map(({ name }) => Buffer.from(name).toString())
    .filter((name) => name.length === 1);
}

describe.each(filesystems)("OpenDirectory on $name", ({ needs, mount }) => {
  requires(needs)("lists what came since it was opened, and since it was listed", () => {
    const path = mount(tempDir({ on: "disk" }).join("mount"));
    using directory = OpenDirectory.at(cString(utf8(path)));
    writeFileSync(`${path}/a`, "");
    expect(namesIn(directory)).toEqual(["a"]);
    writeFileSync(`${path}/b`, "");
    expect(namesIn(directory).sort()).toEqual(["a", "b"]);
  });
});

describe("keepIf", () => {
  function opened(): OpenDirectory {
    return OpenDirectory.at(cString(utf8(tempDir().path)));
  }

  test("keeps the directory that is meant", () => {
    using directory = opened();
    expect(directory.keepIf((one) => one === directory)).toBe(directory);
    expect(existsSync(`/proc/self/fd/${directory.number}`)).toBe(true);
  });

  test("closes another one", () => {
    const directory = opened();
    const { number } = directory;
    expect(directory.keepIf(() => false)).toBeNull();
    expect(existsSync(`/proc/self/fd/${number}`)).toBe(false);
  });

  test("closes one of which it cannot be told", () => {
    const directory = opened();
    const { number } = directory;
    const cannotTell = (): boolean => {
      throw new Error("cannot tell");
    };
    expect(() => directory.keepIf(cannotTell)).toThrow("cannot tell");
    expect(existsSync(`/proc/self/fd/${number}`)).toBe(false);
  });
});
