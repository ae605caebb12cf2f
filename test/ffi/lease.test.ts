/** Whether somebody writes to a file, asked with a lease. */
import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { isBeingWritten } from "../../ffi/lease.ts";
import { cPath } from "../helpers/c-path.ts";
import { tempDir } from "../helpers/temp-dir.ts";

describe("isBeingWritten", () => {
  test.each(["tmpfs", "disk"] as const)("says so as long as a writer has it open (%s)", (on) => {
    using dir = tempDir({ on });
    const path = dir.write("file");
    const writer = openSync(path, "a");
    expect(isBeingWritten(cPath(path))).toBe(true);
    closeSync(writer);
    expect(isBeingWritten(cPath(path))).toBe(false);
  });

  test("does not take a reader for a writer", () => {
    using dir = tempDir();
    const path = dir.write("file");
    const reader = openSync(path, "r");
    expect(isBeingWritten(cPath(path))).toBe(false);
    closeSync(reader);
  });

  test("leaves no lease behind: a writer opens at once", () => {
    using dir = tempDir();
    const path = dir.write("file");
    for (let i = 0; i < 100; i++) isBeingWritten(cPath(path));
    const { success } = Bun.spawnSync(["sh", "-c", `: >> "${path}"`], { timeout: 1000 });
    expect(success).toBe(true);
  });

  test("says no about what it cannot ask: nothing there, a link, a directory", () => {
    using dir = tempDir();
    Bun.spawnSync(["ln", "-s", dir.write("file"), dir.join("link")]);
    for (const name of ["none", "link", "."]) {
      expect(isBeingWritten(cPath(dir.path, name))).toBe(false);
    }
  });
});
