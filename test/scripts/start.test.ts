/** `npm start`, as a user runs it: the example works, and Ctrl-C ends it. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const script = join(import.meta.dir, "../../scripts/start.ts");

test("start runs the example, passes SIGTERM on and ends as facron did", async () => {
  using dir = tempDir();
  const command = [process.execPath, script];
  await using start = await runBinary([dir.join("example")], { command }).ready();
  expect(start.log).toContain(`echo hello > ${dir.path}/example/in/a.txt`);
  writeFileSync(dir.join("example/in/a.txt"), "hello\n");
  const path = dir.join("example/in/a.txt");
  const { events } = await start.waitForEvent("the write", (event) => event.path === path);
  expect(events).toContain("close_write");
  await start.waitForLog(/show\.sh: ".*\/in\/a\.txt" has 6 bytes/);
  expect(await start.stop("SIGTERM")).toEqual({ code: 0, signal: null });
});

test("start takes a SIGINT that comes twice for one, and ends as a shell says it", async () => {
  using dir = tempDir();
  const command = [process.execPath, script];
  await using start = await runBinary([dir.join("example")], { command }).ready();
  start.signal("SIGINT");
  expect(await start.stop("SIGINT")).toEqual({ code: 130, signal: null });
});
