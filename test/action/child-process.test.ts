/** The ends of commands are heard of, and leave everything else its turn. */
import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { StringVector } from "../../ffi/process.ts";
import { startProcess } from "../../src/action/child-process.ts";

test("short commands that start each other do not keep the event loop for themselves", async () => {
  const stderrFd = openSync("/dev/null", "w");
  const program = {
    path: cString(utf8("/bin/true")),
    argv: new StringVector().set([utf8("true")]),
    environment: new StringVector().set([]),
    spawnPlace: { stdinFd: null, outputFd: stderrFd, cwd: null, isSession: false },
  };
  let left = 3_000;
  const { promise, resolve } = Promise.withResolvers<void>();
  const startNext = (): void => {
    if (left-- > 0) startProcess(program, startNext);
    else resolve();
  };
  let turns = 0;
  const turn = (): void => {
    turns++;
    if (left > 0) setTimeout(turn, 0);
  };
  setTimeout(turn, 0);
  for (let lane = 0; lane < 32; lane++) startNext();
  await promise;
  closeSync(stderrFd);
  expect(turns).toBeGreaterThan(20);
});
