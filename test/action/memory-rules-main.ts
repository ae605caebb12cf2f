/** Has one event and one run for each of 5,000 rules, and says on stdout by how many bytes the process has grown. */
import type { Ending } from "../../src/action/ending.ts";
import { Launcher } from "../../src/action/launcher.ts";
import { Runner } from "../../src/action/runner.ts";
import { Counters } from "../../src/rule/template.ts";
import { immortal, MemoryLog, ruleThatRuns, triggersFor } from "./support.ts";

const count = 5_000;
const rules = Array.from({ length: count }, (_, at) => ({
  ...ruleThatRuns("/bin/true", "{path}"),
  name: `rule-${at}`,
}));
const ends: ((ending: Ending) => void)[] = [];
const log = new MemoryLog();
const spawn = (_: unknown, onExit: (ending: Ending) => void) => {
  ends.push(onExit);
  return immortal;
};
const runner = new Runner({
  maxRunning: 1,
  log,
  launcher: new Launcher({ log, spawn, counters: new Counters() }),
  onStarted: () => {},
  readUp: () => {},
});
const buffers = rules.map((_, at) => triggersFor([`/srv/in/${at}/file.csv`], at));

Bun.gc(true);
const before = process.memoryUsage.rss();
for (const buffer of buffers) {
  runner.enqueue(rules, buffer, 1);
  ends.pop()!({ kind: "exited", code: 0 });
  log.lines.length = 0;
}
Bun.gc(true);
const grownBytes = process.memoryUsage.rss() - before;
console.log(JSON.stringify({ rules: runner.status().rules.size, grownBytes }));
process.exit(0);
