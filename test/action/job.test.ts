/** How much fits one run. */
import { describe, expect, test } from "bun:test";
import { fromLatin1 } from "../../ffi/bytes.ts";
import { Job } from "../../src/action/job.ts";
import { TriggerReader } from "../../src/reader/trigger.ts";
import { defaultPolicy, type Policy } from "../../src/rule/policy.ts";
import type { Rule } from "../../src/rule/rule.ts";
import type { Command } from "../../src/rule/template.ts";
import { ruleThatRuns, triggersFor } from "./support.ts";

const paths: Command = { words: [[{ literal: fromLatin1("/bin/x") }], [{ value: "paths" }]] };
const plain = ruleThatRuns("/bin/x");

function jobOf(rule: Rule, path: string): Job {
  const trigger = new TriggerReader(triggersFor([path])).take()!;
  return new Job(rule, trigger);
}

/** Events of 4 KiB each, until one more would be too much; all of one path, or each of its own. */
function bytesThatFit(rule: Rule, isOnePath = false): number {
  const job = jobOf(rule, "0".padEnd(4096, "x"));
  for (let count = 1; count < 20_000; count++) {
    const more = jobOf(rule, (isOnePath ? "0" : String(count)).padEnd(4096, "x"));
    if (!job.hasRoomFor(more)) return count * 4096;
    job.absorb(more);
  }
  return Infinity;
}

describe("one run takes", () => {
  const stdin = (of: Policy["stdin"]): Rule => ({
    ...plain,
    policy: { ...defaultPolicy, stdin: of },
  });
  const mib = 1024 * 1024;

  test.each<[string, Rule, number]>([
    ["1 MiB of paths as arguments, with their NULs", { ...plain, command: paths }, mib - 4096],
    [
      "as much if only on_failure takes them",
      { ...plain, policy: { ...defaultPolicy, onFailure: paths } },
      mib - 4096,
    ],
    ["64 MiB of paths on stdin, with their NULs", stdin("paths0"), 64 * mib - 4 * 4096],
    ["64 MiB of them in JSON", stdin("json"), 64 * mib],
  ])("%s", (_, rule, bytes) => {
    expect(bytesThatFit(rule)).toBe(bytes);
  });

  test("a path that comes again as one, but each time in JSON", () => {
    expect(bytesThatFit(stdin("paths0"), true)).toBe(Infinity);
    expect(bytesThatFit(stdin("json"), true)).toBe(64 * mib);
  });
});
