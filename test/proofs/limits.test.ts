/**
 * Many files at once into a rule whose commands take a while: never more processes than it allows,
 * each command once, in the order of its path, in little memory.
 *
 * FACRON_PROOF_COUNT sets how many files (400); each is written four times.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { childrenOf, isAlive, linesOf, statusOf } from "../cli/support.ts";
import { report } from "../helpers/report.ts";
import { runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { proofCount, proofTimeoutMs } from "./proof.ts";

const files = proofCount(400) / 4;
const rounds = 4;
const maxRunning = 4;

test.each(["fanotify", "inotify"] as const)(
  "%s: never more than max_running processes, each command once, in order",
  async (backend) => {
    using dir = tempDir();
    dir.mkdir("in");
    const script = dir.script(
      "run",
      `echo "$FACRON_SEQ \${1##*/}" >>${dir.join("ran")}; sleep 0.01`,
    );
    const text = `[[rule]]
name = "r"
watch = "${dir.join("in")}"
on = "close_write"
backend = "${backend}"
run = ["${script}", "{path}"]
max_running = ${maxRunning}
loop = "allow"
`;
    const facron = await runBinary(["-c", dir.write("facron.toml", text)]).ready();
    let most = 0;
    const sampled = { count: 0 };
    const sample = () => {
      most = Math.max(most, childrenOf(facron.pid).filter(isAlive).length);
      sampled.count++;
    };
    for (let round = 1; round <= rounds; round++) {
      for (let i = 0; i < files; i++) writeFileSync(dir.join(`in/${i}`), `${round}`);
      await facron.waitForLines(round * files);
      sample();
    }
    const hasAll = () => {
      sample();
      return linesOf(dir.join("ran")).length >= files * rounds;
    };
    await waitFor(hasAll, { what: "all commands", deadlineMs: proofTimeoutMs(files * rounds) });
    const peak = statusOf(facron.pid)!["VmHWM"]!;
    await facron.stop();
    const ran = readFileSync(dir.join("ran"), "utf8").trimEnd().split("\n");
    expect(ran).toHaveLength(files * rounds);
    const seqsByFile = Map.groupBy(ran, (line) => line.split(" ")[1]!);
    expect(seqsByFile.size).toBe(files);
    for (const lines of seqsByFile.values()) {
      const seqs = lines.map((line) => Number(line.split(" ")[0]));
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      expect(seqs).toHaveLength(rounds);
    }
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(maxRunning);
    expect(Number.parseInt(peak)).toBeLessThan(100 * 1024);
    report("commands of many files at once", backend, {
      commands: ran.length,
      "most at once": most,
      looks: sampled.count,
      "peak KiB": Number.parseInt(peak),
    });
  },
  proofTimeoutMs(files * rounds),
);
