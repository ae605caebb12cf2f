/**
 * Files that are replaced again and again: a rule fires once for each save, and the watch lives on.
 *
 * Slowly (the next save when the one before is told) every way of watching must tell each save once. As
 * fast as it goes too, for what makes a record of its own each time: a name that another file gets.
 *
 * FACRON_PROOF_COUNT sets how often (100), FACRON_TEST_FILESYSTEMS where (tmpfs).
 */
import { describe, expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { chosenPlaces } from "../contract/filesystems.ts";
import { Quiet } from "../contract/quiet.ts";
import { type EventLine, runBinary } from "../helpers/run-binary.ts";
import { report } from "../helpers/report.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { proofCount, proofTest, proofTimeoutMs, ProofWriter } from "./proof.ts";
import type { Kind } from "./writer.ts";

const count = proofCount(100);

const cases = chosenPlaces();

/** How a user may say it; all of them mean the file. */
const ways = {
  "the file": (path: string) => ({ watch: path }),
  "a pattern of its name": (path: string) => ({ watch: path.replace(/e$/, "[e]") }),
  "its directory": (path: string) => ({ watch: path.replace(/\/file$/, "") }),
} as const;

type Way = keyof typeof ways;

interface Save {
  readonly kind: Kind;
  readonly claim: string;
  readonly ways: readonly Way[];
  /** With these every round makes a record of its own, which the kernel does not merge with another. */
  readonly fastWays: readonly Way[];
}

const saves: readonly Save[] = [
  {
    kind: "save",
    claim: "an editor's save (temporary file, fsync, rename over)",
    ways: ["the file", "a pattern of its name", "its directory"],
    fastWays: ["the file", "a pattern of its name", "its directory"],
  },
  {
    kind: "swap",
    claim: "Kubernetes' swap of the symbolic link that leads to it",
    ways: ["the file"],
    fastWays: ["the file"],
  },
  {
    kind: "rotate",
    claim: "logrotate (rename away, create anew)",
    ways: ["the file", "a pattern of its name", "its directory"],
    fastWays: ["the file", "the file", "a pattern of its name", "its directory"],
  },
  {
    kind: "copytruncate",
    claim: "logrotate's copytruncate",
    ways: ["the file", "a pattern of its name", "its directory"],
    fastWays: [], // records that are the same as the last in the queue are merged by the kernel
  },
];

/** @returns the path as the rule has it, with the first version there */
function makeFirst(kind: Kind, directory: string): string {
  mkdirSync(directory);
  const path = `${directory}/file`;
  if (kind !== "swap") {
    writeFileSync(path, "text\n");
    return path;
  }
  mkdirSync(`${directory}/..0`);
  writeFileSync(`${directory}/..0/file`, "text\n");
  symlinkSync("..0", `${directory}/..data`);
  symlinkSync("..data/file", path);
  return path;
}

function ruleFile(dir: TempDir, { watch, backend }: { watch: string; backend: string }): string {
  const rule = { name: "saved", watch, on: ["close_write", "moved_to"], backend };
  const lines = Object.entries(rule).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  return dir.write("rules.toml", `[[rule]]\n${lines.join("")}`);
}

describe.each(cases)("$on", ({ filesystem, backend, on }) => {
  for (const { kind, claim, ways: theirs, fastWays } of saves) {
    for (const way of theirs) {
      for (const pace of ["slowly", "fast"] as const) {
        // A server of FUSE has renamed before the kernel knows of it, so a link cannot be told from the next.
        const isBlurred = kind === "swap" && filesystem.name === "bindfs";
        const isEach = pace === "slowly" || (fastWays.includes(way) && !isBlurred);
        const outcome = isEach ? "is one event each" : "is told at last, and the watch lives on";
        const title = `${claim}, ${pace}, by a rule on ${way}, ${outcome}`;
        proofTest(
          title,
          async () => {
            const dir = tempDir({ on: "disk" });
            const directory = join(filesystem.mount(dir.join("mount")), "D");
            const path = makeFirst(kind, directory);
            const file = ruleFile(dir, { ...ways[way](path), backend });
            const facron = await runBinary(["-c", file]).ready();
            using quiet = new Quiet(facron.pid);
            const writer = new ProofWriter(kind, directory);
            await (pace === "fast" ? writer.fast(count, quiet) : writer.paced(count, quiet));
            writeFileSync(path, "the watch is alive"); // close_write, without a rename
            await quiet.wait();
            await facron.stop("SIGTERM", 60_000);
            const told = facron.events.filter((line) => line.path === path);
            const last = told.pop();
            report(`${claim}, ${pace}`, `${way}, ${on}`, {
              saves: count,
              events: told.length,
              synthetic: told.filter((line) => line["synthetic"] !== undefined).length,
            });
            expect(last).toMatchObject({ events: ["close_write"] });
            expect(last).not.toHaveProperty("synthetic");
            if (isEach) expect(told.length, some(told)).toBe(count);
            else expect(told.length).toBeWithin(1, count + 1);
          },
          proofTimeoutMs(count),
        );
      }
    }
  }
});

/** For the message of a failure. */
function some(lines: readonly EventLine[]): string {
  return lines
    .slice(-4)
    .map((line) => JSON.stringify(line))
    .join("\n");
}
