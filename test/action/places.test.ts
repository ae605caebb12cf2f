/** Places for commands: how many there are, and what is said when none gets free. */
import { expect, test } from "bun:test";
import { Places } from "../../src/action/places.ts";
import type { RuleRuns } from "../../src/action/rule-runs.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { MemoryLog } from "./support.ts";

const fullMs = 200;
const runs = { name: "slow", maxRunning: null } as RuleRuns;

test("that no command has ended for long while others wait is said once they have hung for so long", async () => {
  const log = new MemoryLog();
  const places = new Places(1, log, fullMs);
  places.take(runs);
  places.watch(() => 3);
  await Bun.sleep(fullMs / 2); // commands come and go
  places.leave(runs);
  places.take(runs);
  const hungSince = performance.now();
  places.watch(() => 3);
  await waitFor(() => log.lines.length > 0, { what: "the warning" });
  expect(performance.now() - hungSince).toBeGreaterThanOrEqual(fullMs - 1);
  expect(log.lines).toEqual([
    'warn: No command has ended for 0.2 s, and 3 events wait for one of 1 places (1 of rule "slow"): ' +
      "give these rules a timeout, or raise max_running",
  ]);
});

test("nothing is said when nobody waits any more, or when a place is free", async () => {
  const log = new MemoryLog();
  const nobodyWaits = new Places(1, log, 20);
  nobodyWaits.take(runs);
  nobodyWaits.watch(() => 0);
  const free = new Places(1, log, 20);
  free.take(runs);
  free.watch(() => 1);
  free.leave(runs);
  const later = new Places(1, log, 60);
  later.take(runs);
  later.watch(() => 1);
  await waitFor(() => log.lines.length > 0, { what: "the warning" }); // that of `later`, which was due long after the others
  expect(log.lines).toHaveLength(1);
});
