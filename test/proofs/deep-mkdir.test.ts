/**
 * Directories that are made faster than they can be watched: what is written in them is told once.
 *
 * FACRON_PROOF_COUNT sets how often (300), FACRON_TEST_FILESYSTEMS where (tmpfs).
 */
import { describe, expect } from "bun:test";
import { join } from "node:path";
import { chosenPlaces } from "../contract/filesystems.ts";
import { Quiet } from "../contract/quiet.ts";
import { type EventLine, runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { report } from "../helpers/report.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import {
  countsOf,
  examplesOf,
  markCount,
  noDifference,
  proofCount,
  proofTest,
  proofTimeoutMs,
  ProofWriter,
  Tally,
} from "./proof.ts";
import type { Kind } from "./writer.ts";
import { mkdirSync } from "node:fs";

const count = proofCount(300);

const cases = chosenPlaces();

/**
 * FUSE (libfuse's high level, as bindfs has it) renames a file that is unlinked while facron's look has it
 * open, to .fuse_hidden*, so that the rmdir after it says ENOTEMPTY: nobody can remove at once there.
 */
const removable = cases.filter(({ filesystem }) => filesystem.name !== "bindfs");

interface Ran {
  readonly facron: RunningBinary;
  readonly top: string;
  /** Marks that it had before and has afterwards. */
  readonly marks: readonly [before: number, after: number];
}

/** A recursive watch of an empty directory, and `count` rounds of the work as fast as it goes. */
async function run(kind: Kind, { filesystem, backend }: (typeof cases)[number]): Promise<Ran> {
  const top = join(filesystem.mount(tempDir({ on: "disk" }).join("mount")), "D");
  mkdirSync(top);
  const args = ["watch", "-r", "-b", backend, "-e", "create,delete,close_write", top];
  const facron = await runBinary(args).ready();
  using quiet = new Quiet(facron.pid);
  const before = markCount(facron.pid);
  await new ProofWriter(kind, top).fast(count, quiet);
  const after = markCount(facron.pid);
  await facron.stop("SIGTERM", 60_000);
  expect(facron.log).not.toContain("warning");
  return { facron, top, marks: [before, after] };
}

function tallyOf(lines: readonly EventLine[], event: string): Tally {
  const tally = new Tally();
  for (const { events, path } of lines) if (events.includes(event)) tally.add(path!);
  return tally;
}

function pathsOf(path: (n: number) => string): Set<string> {
  return new Set(Array.from({ length: count }, (_, n) => path(n)));
}

function syntheticsIn(lines: readonly EventLine[]): number {
  return lines.filter((line) => line["synthetic"] !== undefined).length;
}

describe.each(cases)("$on", (one) => {
  proofTest(
    "mkdir -p a/b/c/d/e and a file at once: its close_write is told once, each time",
    async () => {
      const { facron, top, marks } = await run("deep", one);
      const { events } = facron;
      const expected = pathsOf((n) => `${top}/${n}/a/b/c/d/e/f`);
      const closed = tallyOf(events, "close_write").against(expected);
      const names = ["", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/a/b/c/d/e", "/a/b/c/d/e/f"];
      const made = new Set(names.flatMap((name) => [...pathsOf((n) => `${top}/${n}${name}`)]));
      const created = tallyOf(events, "create").against(made);
      report("mkdir -p and a file, close_write", one.on, {
        rounds: count,
        ...countsOf(closed),
        synthetic: syntheticsIn(events),
      });
      report("mkdir -p and a file, create", one.on, { rounds: made.size, ...countsOf(created) });
      expect(examplesOf(closed)).toEqual(noDifference);
      expect(examplesOf(created)).toEqual(noDifference);
      expect(marks[1] - marks[0]).toBe(6 * count);
    },
    proofTimeoutMs(count),
  );
});

describe.each(removable)("$on", (one) => {
  proofTest(
    "the same removed at once: nothing is told twice, on a wrong path, or after its end",
    async () => {
      const { facron, top, marks } = await run("deep-removed", one);
      const { events } = facron;
      const possible = pathsOf((n) => `${top}/${n}/a/b/c/d/e/f`);
      const closed = tallyOf(events, "close_write").against(possible);
      const tops = pathsOf((n) => `${top}/${n}`);
      const topOnly = events.filter(({ path }) => tops.has(path!));
      const [made, gone] = [tallyOf(topOnly, "create"), tallyOf(topOnly, "delete")];
      const late = toldAfterTheEnd(events, top);
      report("mkdir -p and a file, removed at once", one.on, {
        rounds: count,
        "close_write seen": count - closed.lost.length,
        ...countsOf({ ...closed, lost: [] }),
        "create lost": made.against(tops).lost.length,
        "delete lost": gone.against(tops).lost.length,
        "after its end": late.length,
        "marks left": marks[1] - marks[0],
      });
      // A record that was never queued cannot be told: whether f was seen is chance.
      expect(examplesOf({ ...closed, lost: [] })).toEqual(noDifference);
      expect(examplesOf(made.against(tops))).toEqual(noDifference);
      expect(examplesOf(gone.against(tops))).toEqual(noDifference);
      expect(late.slice(0, 5)).toEqual([]);
      expect(marks[1]).toBe(marks[0]);
    },
    proofTimeoutMs(count),
  );

  proofTest(
    "a directory that lives for a millisecond, of one name again and again, leaves nothing behind",
    async () => {
      const { facron, top, marks } = await run("short-lived", one);
      const { events } = facron;
      const times = (event: string, path: string): number => tallyOf(events, event).of(path);
      const seen = times("close_write", `${top}/q/f`);
      const paths = new Set([`${top}/q`, `${top}/q/f`]);
      const wrong = events.filter(({ path }) => !paths.has(path!));
      const numbers = {
        create: times("create", `${top}/q`),
        delete: times("delete", `${top}/q`),
        wrong: wrong.length,
        "marks left": marks[1] - marks[0],
      };
      report("mkdir q; echo > q/f; rm -r q", one.on, {
        rounds: count,
        "close_write seen": seen,
        ...numbers,
      });
      expect(numbers).toEqual({ create: count, delete: count, wrong: 0, "marks left": 0 });
      expect(seen).toBeLessThanOrEqual(count);
      expect(times("create", `${top}/q/f`)).toBeLessThanOrEqual(count);
    },
    proofTimeoutMs(count),
  );
});

/** Lines about something below a round's directory that come after the line about the end of that. */
function toldAfterTheEnd(lines: readonly EventLine[], top: string): string[] {
  const ended = new Set<string>();
  const late: string[] = [];
  for (const line of lines) {
    const [round, ...below] = line.path!.slice(top.length + 1).split("/");
    if (below.length === 0 && line.events.includes("delete")) ended.add(round!);
    else if (ended.has(round!)) late.push(JSON.stringify(line));
  }
  return late;
}
