/** A virus scanner as a gate: what it finds cannot be opened, and what it has seen is not scanned again. */
import { expect } from "bun:test";
import { appendFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { linesOf } from "../cli/support.ts";
import { Scribbler } from "../gate/scribbler.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { report } from "../helpers/report.ts";
import { runBinary, type RunningBinary } from "../helpers/run-binary.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { canOpen, isHeld } from "./gate-load.ts";
import { proofTest } from "./proof.ts";

/** The test file of the antivirus vendors; in two parts, lest a scanner finds this one. */
const eicar = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";

const openersOfOne = 32;

class Scanner {
  readonly dir: TempDir;
  readonly files: string;
  readonly facron: RunningBinary;

  constructor(dir: TempDir, facron: RunningBinary) {
    this.dir = dir;
    this.files = dir.join("files");
    this.facron = facron;
  }

  /** What has been scanned, in that order. */
  get scanned(): string[] {
    return linesOf(this.dir.join("scanned"));
  }

  write(name: string, text: string): string {
    writeFileSync(`${this.files}/${name}`, text);
    return `${this.files}/${name}`;
  }

  /** A file that has just changed is scanned for each open: its time of change may stay the same. */
  async settled(path: string): Promise<void> {
    const changed = statSync(path).ctimeMs; // which opens nothing
    await waitFor(() => Date.now() > changed + 100, { what: `${path} to be at rest` });
  }
}

/** @param first what the script does before it scans */
async function startScanner(first = ""): Promise<Scanner> {
  const dir = tempDir();
  dir.mkdir("files");
  dir.write("eicar", eicar);
  const script = dir.write(
    "scan.sh",
    `echo "$1" >>"${dir.join("scanned")}"\n${first}\n! grep -q -F -f "${dir.join("eicar")}" -- "$1"\n`,
  );
  const config = dir.write(
    "facron.toml",
    `[facron]\ngate_log = "all"\n[[gate]]\nname = "scan"\nwatch = "${dir.join("files")}"\nrecursive = true\non = "open_perm"\n` +
      `ask = ["/bin/sh", "${script}", "{path}"]\ntimeout = "60s"\non_timeout = "deny"\non_error = "deny"\n`,
  );
  const facron = await runBinary(["-c", config]).ready();
  return new Scanner(dir, facron);
}

proofTest("a file with the EICAR string cannot be opened, one without it can", async () => {
  const scanner = await startScanner();
  const bad = scanner.write("bad", `begin\n${eicar}\nend\n`);
  const good = scanner.write("good", "begin\nend\n");
  expect({ bad: canOpen(bad), good: canOpen(good) }).toEqual({ bad: false, good: true });
  const denied = await scanner.facron.waitForEvent(
    "the decision",
    ({ verdict, path }) => verdict === "deny" && path === bad,
  );
  expect(denied).toMatchObject({ v: 1, gate: "scan", by: "command", pid: process.pid });
});

proofTest("an unchanged file is not scanned again, a changed one is", async () => {
  const scanner = await startScanner();
  const path = scanner.write("file", "good\n");
  await scanner.settled(path);
  expect(canOpen(path)).toBe(true);
  const before = scanner.scanned.length;
  for (let n = 0; n < 100; n++) expect(canOpen(path)).toBe(true);
  expect(scanner.scanned.length).toBe(before);

  appendFileSync(path, eicar);
  await scanner.settled(path);
  const changed = scanner.scanned.length;
  expect(canOpen(path)).toBe(false);
  expect(canOpen(path)).toBe(false);
  expect(scanner.scanned.length).toBe(changed + 1);

  renameSync(scanner.dir.write("clean", "good\n"), path); // a cure that opens nothing
  expect(canOpen(path)).toBe(true);
  expect(scanner.scanned.length).toBeGreaterThan(changed + 1);
});

proofTest(
  "a file in memory that is written through a map, which leaves no trace, is scanned again",
  async () => {
    const scanner = await startScanner();
    const path = scanner.write("file", "good\n");
    await scanner.settled(path);
    expect(canOpen(path)).toBe(true);
    const { ctimeMs } = statSync(path);
    const scribbler = new Scribbler(path);
    await scribbler.write();
    await scribbler.close();
    expect(statSync(path).ctimeMs).toBe(ctimeMs);
    const before = scanner.scanned.length;
    expect(canOpen(path)).toBe(true);
    expect(scanner.scanned.length).toBe(before + 1);
  },
);

proofTest("many who open one file wait for one scan", async () => {
  const dir = tempDir();
  const go = dir.join("go");
  const scanner = await startScanner(`until [ -e "${go}" ]; do sleep 0.01; done`);
  dir.write("go");
  const path = scanner.write("file", "good\n");
  await scanner.settled(path);
  Bun.spawnSync(["rm", go]);
  const before = scanner.scanned.length;

  const openers = Array.from({ length: openersOfOne }, () =>
    Bun.spawn(["cat", path], { stdout: "ignore" }),
  );
  atTestEnd(() => openers.forEach((opener) => opener.kill("SIGKILL")));
  await waitFor(() => openers.every(({ pid }) => isHeld(pid)), {
    what: "all of them to be held",
    state: () => scanner.facron.log,
  });
  dir.write("go");
  const statuses = await Promise.all(openers.map(({ exited }) => exited));
  expect(statuses).toEqual(openers.map(() => 0));
  const runs = scanner.scanned.length - before;
  report("gates", "one file, many openers", { openers: openersOfOne, runs });
  expect(runs).toBe(1);
});
