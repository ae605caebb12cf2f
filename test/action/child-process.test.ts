/** The ends of commands are heard of, and leave everything else its turn. */
import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { cString, utf8 } from "../../ffi/bytes.ts";
import { endedChild, posixSpawn, StringVector, waitNow } from "../../ffi/process.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { startProcess } from "../../src/action/child-process.ts";

const inDirectory = { stdinFd: null, outputFd: 2, cwd: null, isSession: false };

function shellWords(script: string): StringVector {
  return new StringVector().set([utf8("sh"), utf8("-c"), utf8(script)]);
}

test("a child that is not ours keeps its status, and does not hide the ends of commands", async () => {
  const path = cString(utf8("/bin/sh"));
  const environment = new StringVector().set([]);
  const foreign = posixSpawn(path, shellWords("exit 3"), environment, inDirectory);
  await waitFor(() => endedChild() === foreign, { what: "the end of the foreign child" });
  const codes = new Set<number>();
  for (const code of [4, 5]) {
    const argv = shellWords(`exit ${code}`);
    const program = { path, argv, environment, spawnPlace: inDirectory };
    startProcess(program, (ending) => {
      if (ending.kind === "exited") codes.add(ending.code);
    });
  }
  await waitFor(() => codes.size === 2, { what: "the ends of the commands" });
  expect(codes).toEqual(new Set([4, 5]));
  expect(waitNow(foreign)).toEqual({ kind: "exited", code: 3 });
  expect(endedChild()).toBe(0);
});

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
