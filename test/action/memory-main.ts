/** Lets 200,000 triggers wait and says on stdout by how many bytes the process has grown. */
import { Launcher } from "../../src/action/launcher.ts";
import { Runner } from "../../src/action/runner.ts";
import { Counters } from "../../src/rule/template.ts";
import { immortal, MemoryLog, ruleThatRuns, triggersFor } from "./support.ts";

const triggersAtOnce = Number(process.argv[2]);
const triggers = 200_000;

const rules = [ruleThatRuns("/bin/true", "{path}")];
const log = new MemoryLog();
const runner = new Runner({
  maxRunning: 1,
  log,
  // One that never ends: all others wait.
  launcher: new Launcher({ log, spawn: () => immortal, counters: new Counters() }),
  onStarted: () => {},
  readUp: () => {},
});
const paths = Array.from(
  { length: triggersAtOnce },
  (_, index) => `/srv/in/incoming/file-${index}.csv`,
);
const buffer = triggersFor(paths);

Bun.gc(true);
const before = process.memoryUsage.rss();
for (let pushed = 0; pushed < triggers; pushed += triggersAtOnce) {
  runner.enqueue(rules, buffer.slice(0), triggersAtOnce);
}
Bun.gc(true);
const grownBytes = process.memoryUsage.rss() - before;
console.log(JSON.stringify({ waiting: runner.waiting, grownBytes }));
process.exit(0);
