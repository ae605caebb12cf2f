/** A facron whose queue in the kernel is small: the limit is that of the moment in which its group is made. */
import { readFileSync, writeFileSync } from "node:fs";
import { atTestEnd } from "./at-test-end.ts";
import { runBinary, type RunningBinary } from "./run-binary.ts";
import { waitFor } from "./wait-for.ts";

/**
 * Start it with so few queued events, and put the limit back as soon as it is ready.
 *
 * The limit is the whole machine's: one test at a time has it. What others start meanwhile gets the
 * small queue too, which is why it is there for some milliseconds only.
 */
export async function startWithQueue(
  backend: "fanotify" | "inotify",
  limit: number,
  args: readonly string[],
): Promise<RunningBinary> {
  using _lock = await lock();
  const sysctl = `/proc/sys/fs/${backend}/max_queued_events`;
  const before = readFileSync(sysctl, "utf8");
  const restore = () => writeFileSync(sysctl, before);
  atTestEnd(restore);
  writeFileSync(sysctl, `${limit}\n`);
  try {
    return await runBinary(args).ready();
  } finally {
    restore();
  }
}

/** An abstract socket (unix(7)): the kernel frees the name however its owner ends. */
async function lock(): Promise<Disposable> {
  const take = () => {
    try {
      return Bun.listen({ unix: "\0facron-test-queue-limit", socket: { data() {} } });
    } catch {
      return null; // another test has it
    }
  };
  const held = await waitFor(take, { what: "the lock of the queue limits", deadlineMs: 60_000 });
  return { [Symbol.dispose]: () => held.stop(true) };
}
