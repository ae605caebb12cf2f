/** A small facron for another user: starts one command, and says on stdout what became of it. */
import { join } from "node:path";
import { utf8 } from "../../ffi/bytes.ts";
import type { Ending } from "../../src/action/ending.ts";
import { spawnCommand } from "../../src/action/spawn.ts";
import { plainStart, testOutputLog } from "./support.ts";

const [words, surroundings] = process.argv.slice(2).map((word) => JSON.parse(word));
const { promise, resolve } = Promise.withResolvers<Ending>();
const onExit = resolve;
const self = [process.execPath, join(import.meta.dir, "../../src/main.ts")];
const options = { cwd: "/", self, stderrFd: 1, outputLog: testOutputLog(), onExit };
try {
  spawnCommand({ ...plainStart(words.map(utf8)), surroundings }, options);
  const ending = await promise;
  if (ending.kind === "not-started") console.log(ending.error.message);
} catch (error) {
  console.log((error as Error).message);
}
process.exit(0);
