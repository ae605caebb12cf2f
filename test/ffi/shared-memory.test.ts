/** Memory that is shared, on the real kernel. */
import { expect, test } from "bun:test";
import { sharedMemoryFile } from "../../ffi/memfd.ts";
import { mapInts } from "../../ffi/shared-memory.ts";

test("what is stored in one mapping is seen in the other", () => {
  using file = sharedMemoryFile(64);
  const [one, other] = [mapInts(file.number, 16), mapInts(file.number, 16)];
  expect([...other]).toEqual(Array(16).fill(0));
  Atomics.store(one, 15, -2);
  Atomics.add(one, 0, 3);
  expect([Atomics.load(other, 15), Atomics.load(other, 0)]).toEqual([-2, 3]);
});

test("it is there when the file is closed, and nobody can make the file shorter", () => {
  const file = sharedMemoryFile(8);
  const truncate = ["truncate", "-s", "0", `/proc/${process.pid}/fd/${file.number}`];
  expect(Bun.spawnSync(truncate, { stderr: "ignore" }).success).toBe(false);
  const ints = mapInts(file.number, 2);
  file.close();
  Atomics.store(ints, 1, 7);
  expect([...ints]).toEqual([0, 7]);
});
