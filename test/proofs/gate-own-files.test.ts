/**
 * A gate on the filesystem that holds all that facron itself needs: its binary, its configuration, its
 * journal, its lines, its log, and the program, the script and the output of its commands.
 *
 * FACRON_PROOF_SECONDS sets how long it works (3).
 */
import { expect } from "bun:test";
import { copyFileSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { answerTo, linesOf } from "../cli/support.ts";
import { mountImage } from "../helpers/mount.ts";
import { report } from "../helpers/report.ts";
import { binaryPath, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import {
  canOpen,
  deniedSuffix,
  expectRight,
  loadSeconds,
  makeLoad,
  startOpeners,
} from "./gate-load.ts";
import { proofTest, ProofWriter } from "./proof.ts";

/** Whatever hangs is let go when facron is killed. */
const killAfterSeconds = 60 + loadSeconds * 2;

proofTest(
  "scope filesystem over facron's own files: nothing hangs",
  async () => {
    await answerTo(["--version"]); // builds what is copied
    const dir = tempDir();
    const own = mountImage(dir.join("own"), "ext4").path;
    const config = furnish(own);
    const [lines, log] = [`${own}/log/lines`, `${own}/log/log`];
    const load = makeLoad({ tree: `${own}/tree` });
    await using facron = runBinary(["-c", config], {
      command: [
        "timeout",
        "--foreground",
        "-s",
        "KILL",
        String(killAfterSeconds),
        `${own}/bin/facron`,
      ],
      stdout: openSync(lines, "a"),
      stderr: openSync(log, "a"),
    });
    const logText = () => readFileSync(log, "utf8");
    await waitFor(() => logText().includes("facron: ready"), {
      what: "facron to be ready",
      deadlineMs: 30_000,
      state: logText,
    });

    const openers = startOpeners(load, 4);
    openers.start("deny");
    const writer = new ProofWriter("files", `${own}/in`);
    const end = performance.now() + loadSeconds * 1000;
    let [files, programs] = [0, 0];
    while (performance.now() < end) {
      await writer.rounds(10);
      files += 10;
      programs += runOwnProgram(own);
      expect(canOpen(load.denied)).toBe(false);
    }
    expectRight("on facron's own filesystem", await openers.end());

    const ran = () => new Set(linesOf(`${own}/out/ran`));
    await waitFor(() => ran().size === files, {
      what: `the commands of ${files} files`,
      deadlineMs: 60_000,
      state: () => `${ran().size}\n${logText()}`,
    });
    facron.signal("SIGTERM");
    const exit = await facron.exit(30_000);
    expect({ ...exit, log: logText() }).toMatchObject({ code: 0, signal: null });
    const decisions = linesOf(lines).filter((line) => line.includes('"gate":"scan"'));
    const asked = linesOf(`${own}/out/asked`).length;
    report("gates", "own files", { files, programs, decisions: decisions.length, asked });
    expect(asked).toBeGreaterThan(0);
    expect(decisions.length).toBeGreaterThanOrEqual(asked);
    expect(decisions.filter((line) => /"by":"(timeout|error)"/.test(line))).toEqual([]);
  },
  killAfterSeconds * 1000 + 60_000,
);

/** All that facron needs, on its own filesystem. @returns its configuration */
function furnish(own: string): string {
  for (const name of ["bin", "etc", "in", "log", "out", "run", "state", "tree"])
    mkdirSync(`${own}/${name}`);
  copyFileSync(binaryPath, `${own}/bin/facron`);
  for (const name of ["sh", "cat"]) copyFileSync(Bun.which(name)!, `${own}/bin/${name}`);
  const script = (name: string, text: string) => writeFileSync(`${own}/bin/${name}`, text);
  script("decide", `echo "$1" >>${own}/out/asked\n${own}/bin/cat "$1" >/dev/null\n`);
  script("work", `${own}/bin/cat "$1" >>${own}/out/contents\necho "$1" >>${own}/out/ran\n`);
  writeFileSync(`${own}/etc/facron.toml`, configurationFor(own));
  return `${own}/etc/facron.toml`;
}

function configurationFor(own: string): string {
  const watch = `watch = "${own}"\nrecursive = true\nscope = "filesystem"\n`;
  return `
[facron]
gate_log = "all"
state_dir = "${own}/state"
runtime_dir = "${own}/run"

[[gate]]
name = "no bad"
${watch}on = "open_perm"
include = ["*${deniedSuffix}"]
verdict = "deny"

[[gate]]
name = "scan"
${watch}on = ["open_perm", "open_exec_perm"]
ask = ["${own}/bin/sh", "${own}/bin/decide", "{path}"]
cwd = "${own}/out"
output = "${own}/log/scans"
cache = "500ms"
timeout = "30s"
on_timeout = "deny"
on_error = "deny"

[[rule]]
name = "work"
watch = "${own}/in"
on = "close_write"
run = ["${own}/bin/sh", "${own}/bin/work", "{path}"]
durable = true
output = "${own}/log/works"
`;
}

/** A program that a gate is asked about, by somebody who is none of facron's. @returns 1 */
function runOwnProgram(own: string): 1 {
  const { success, stdout } = Bun.spawnSync([`${own}/bin/cat`, `${own}/tree/d1/f1.txt`]);
  expect({ success, text: stdout.toString() }).toEqual({ success: true, text: "text\n" });
  return 1;
}
