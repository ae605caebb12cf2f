/** A first walk that takes long is shown at a terminal, and nowhere else. */
import { expect } from "bun:test";
import { FuseServer } from "../helpers/fuse-server.ts";
import { needsRoot } from "../helpers/requires.ts";
import { binaryPath, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const rootTest = needsRoot("mounts a filesystem that does not answer");

const line = /watching: [\d,]+ directories so far/;

/** A tree whose walk takes as long as we like: a directory in it does not answer. */
async function slowTree(): Promise<{ path: string; server: FuseServer }> {
  const dir = tempDir({ on: "disk" });
  dir.mkdir("there");
  for (let n = 0; n < 100; n++) dir.mkdir(`D/${n}`);
  const server = await FuseServer.start(dir.join("there"), dir.join("D/share"));
  server.stop();
  return { path: dir.join("D"), server };
}

/** What a terminal shows after all that was written to it: each line as it was last. */
function shown(written: string): string[] {
  return written.split("\n").map((one) => one.replace(/\r$/, "").split("\x1b[K").at(-1)!);
}

rootTest("a walk that takes over a second has a line at a terminal, until it is over", async () => {
  const { path, server } = await slowTree();
  const words = ["watch", "-r", path];
  await using elsewhere = runBinary(words);
  // script(1) gives it a terminal, and tells what came there.
  const script = `exec script -qec '${[binaryPath, ...words].join(" ")} >/dev/null' /dev/null >&2`;
  await using facron = runBinary([], { command: ["/bin/sh", "-c", script] });
  await facron.waitForLog(line);
  server.resume();
  await facron.waitForLog(/^facron: ready\r?$/m);
  expect(shown(facron.log)).toContain("facron: ready");
  expect(shown(facron.log).filter((one) => line.test(one))).toEqual([]);
  await elsewhere.ready();
  expect(elsewhere.log).not.toMatch(line);
});
