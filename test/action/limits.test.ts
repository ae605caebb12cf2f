import { describe, expect, test } from "bun:test";
import { fileLimitOf } from "../../ffi/limits.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import type { Inherited } from "./inherit-main.ts";

const main = `${import.meta.dir}/inherit-main.ts`;

/** Run the small facron from a shell; `prefix` goes before it. The shell stays its parent. */
function inherit(prefix: string): Inherited {
  using dir = tempDir();
  const command = `${prefix} "${process.execPath}" "${main}" "${dir.join("out")}"; exit`;
  const { stdout, stderr, success } = Bun.spawnSync(["/bin/bash", "-c", command]);
  if (!success) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString()) as Inherited;
}

const { hard } = fileLimitOf(0)!;

describe("restoreFileLimit and prepareForCommands", () => {
  test("undo Bun's raising of the soft limit: commands get the one of facron's parent", () => {
    const { limitAtStart, seen } = inherit("ulimit -S -n 512;");
    expect(limitAtStart.soft).toBe(hard); // Bun 1.4.5; a change here makes the undoing unnecessary
    expect(seen.map((command) => command.softLimit)).toEqual([512, 512]);
  });

  test("take 1024 if the parent's hard limit is another one", () => {
    const { seen } = inherit(`ulimit -S -n 512; prlimit --nofile=:${hard - 1}`);
    expect(seen.map((command) => command.softLimit)).toEqual([1024, 1024]);
  });

  test("take the hard limit if that is below 1024", () => {
    const { seen } = inherit("ulimit -S -n 400; prlimit --nofile=600:600");
    expect(seen.map((command) => command.softLimit)).toEqual([600, 600]);
  });

  test("close to commands what the parent left open", () => {
    for (const { descriptors } of inherit("exec 7</dev/null;").seen)
      expect(descriptors).toBe("0, 1, 2");
  });

  test("undo what a parent left behind: ignored SIGCHLD, blocked and ignored signals", () => {
    const parent = "env --ignore-signal=CHLD,PIPE,HUP --block-signal=TERM,USR1";
    for (const { ending, signals } of inherit(parent).seen) {
      expect(ending).toEqual({ kind: "exited", code: 3 }); // without SIGCHLD there is no status
      expect(signals).toEqual(["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]);
    }
  });

  test("leave the environment alone, byte for byte", () => {
    const { seen } = inherit(`env -i A=1 E= B=$'\\xff\\xfe' C=$'two\\nlines' BUN_BE_BUN=0`);
    for (const { environment } of seen) {
      expect(environment.filter((entry) => !entry.startsWith("PWD="))).toEqual(
        ["", "A=1", "B=\xff\xfe", "BUN_BE_BUN=0", "C=two\nlines", "E="].sort(),
      );
    }
  });
});
