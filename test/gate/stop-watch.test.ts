/** Whether a process is stopped, on the real kernel. */
import { expect, test } from "bun:test";
import { StopWatch } from "../../src/gate/stop-watch.ts";
import { startProcess } from "../helpers/processes.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { copyFileSync } from "node:fs";

test("StopWatch sees a process stop, go on and end, whatever its name is", async () => {
  using dir = tempDir();
  const program = dir.join("a) T (b");
  copyFileSync("/bin/sleep", program);
  const started = startProcess([program, "100"]);
  const watch = new StopWatch(started.pid);
  expect(watch.isStopped()).toBe(false);
  process.kill(started.pid, "SIGSTOP");
  await waitFor(() => watch.isStopped(), { what: "it to be stopped" });
  process.kill(started.pid, "SIGCONT");
  await waitFor(() => !watch.isStopped(), { what: "it to go on" });
  await started.end();
  expect(watch.isStopped()).toBe(false);
});

test("StopWatch takes a process that there is not for one that goes on", () => {
  expect(new StopWatch(2 ** 30).isStopped()).toBe(false);
});
