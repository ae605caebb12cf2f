/** The kernel's limits, set for a measurement and put back at the end. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { defer } from "./cleanup.ts";
import { tell } from "./tell.ts";

/** Read by the kernel when a group is made: they have to be set before a consumer starts. */
const queueLimits = [
  "/proc/sys/fs/inotify/max_queued_events",
  "/proc/sys/fs/fanotify/max_queued_events", // Linux 5.13
] as const;

/** The kernel's default. */
export const defaultQueuedEvents = 16_384;

/** More than any measurement here queues. */
export const largeQueuedEvents = 2_000_000;

/** Set both limits; where that is not ours to do (not root) it is told, and lines will be lost. */
export function setQueuedEventsMax(count: number): void {
  try {
    for (const path of queueLimits) if (existsSync(path)) writeFileSync(path, `${count}\n`);
  } catch (error) {
    tell(`cannot set max_queued_events to ${count}: ${String(error)}`);
  }
}

/** Put the limits of this moment back when the run ends. */
export function restoreQueueLimitsAtEnd(): void {
  for (const path of queueLimits) {
    if (!existsSync(path)) continue;
    const before = readFileSync(path, "utf8");
    defer(() => {
      if (readFileSync(path, "utf8") !== before) writeFileSync(path, before);
    });
  }
}

const watchLimit = "/proc/sys/fs/inotify/max_user_watches";

/** One watch for each of 300,000 files, as chokidar has them, beside what others here have. */
const manyWatches = 1_000_000;

/** Make room for peers that watch every file; the limit of before comes back when the run ends. */
export function raiseWatchLimit(): void {
  const before = readFileSync(watchLimit, "utf8");
  if (Number(before) >= manyWatches) return;
  try {
    writeFileSync(watchLimit, `${manyWatches}\n`);
    defer(() => writeFileSync(watchLimit, before));
  } catch (error) {
    tell(`cannot raise max_user_watches: ${String(error)}`);
  }
}
