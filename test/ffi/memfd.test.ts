/** Files in memory, on the real kernel. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { libc } from "../../ffi/libc.ts";
import { readNow, statusFlags } from "../../ffi/fd.ts";
import { memoryFile } from "../../ffi/memfd.ts";

test("memoryFile has all bytes, also those of several writes, and is read from its start", () => {
  const bytes = new Uint8Array(10 * 2 ** 20).map((_, at) => at % 251);
  using file = memoryFile(bytes);
  const start = new Uint8Array(4);
  expect(readNow(file.number, start)).toBe(4);
  expect([...start]).toEqual([0, 1, 2, 3]);
  expect(readFileSync(`/proc/self/fd/${file.number}`).equals(bytes)).toBe(true);
});

test("memoryFile can be neither written, nor made longer or shorter, nor unsealed", () => {
  using file = memoryFile(new Uint8Array(8));
  const F_ADD_SEALS = 1033;
  expect(statusFlags(file.number) & 3).toBe(2); // O_RDWR: it is the seals that refuse
  expect(libc.write(file.number, new Uint8Array(1), 1)).toBe(-1);
  expect(libc.fcntl(file.number, F_ADD_SEALS, 0)).toBe(-1);
  for (const size of ["4", "16"]) {
    const truncate = ["truncate", "-s", size, `/proc/${process.pid}/fd/${file.number}`];
    expect(Bun.spawnSync(truncate, { stderr: "ignore" }).success).toBe(false);
  }
});

test("memoryFile may be empty", () => {
  using file = memoryFile(new Uint8Array(0));
  expect(readNow(file.number, new Uint8Array(1))).toBe(0);
});
