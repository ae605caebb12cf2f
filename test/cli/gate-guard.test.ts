/** The guard's own program may be behind a gate: it is let through, also when it is started again. */
import { expect } from "bun:test";
import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { requires } from "../helpers/requires.ts";
import { binaryPath, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { answerTo } from "./support.ts";

const rootTest = requires({ root: "gates are root's" });

rootTest("a guard whose program nobody may execute is started, and started again", async () => {
  await answerTo(["--version"]); // builds what is copied
  const dir = tempDir();
  dir.mkdir("bin");
  copyFileSync(binaryPath, dir.join("bin/facron"));
  const config = dir.write(
    "g.toml",
    `[[gate]]\nwatch = "${dir.join("bin")}"\non = ["open_perm", "open_exec_perm"]\nverdict = "deny"\n`,
  );
  // A process that waits for a gate ends with its listener.
  const command = ["timeout", "--foreground", "-s", "KILL", "60", dir.join("bin/facron")];
  await using facron = runBinary(["-c", config], { command });
  await facron.ready();
  const started = (): number | null => guardOf(dir.join("bin/facron"));
  const first = await found(started);
  expect(() => Bun.spawnSync([dir.join("bin/facron"), "--version"])).toThrow("EPERM");
  process.kill(first, "SIGKILL");
  await waitFor(() => started() !== null && started() !== first, { what: "another guard" });
  await facron.waitForLog(/it was killed by SIGKILL/);
  expect(facron.log).not.toContain("cannot be started");
});

async function found(look: () => number | null): Promise<number> {
  let pid: number | null = null;
  await waitFor(() => (pid = look()) !== null, { what: "the guard" });
  return pid!;
}

/** Null: none runs this program. */
function guardOf(program: string): number | null {
  const pid = readdirSync("/proc").find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const isGuard = readFileSync(`/proc/${name}/comm`, "latin1") === "facron-guard\n";
      return isGuard && readFileSync(`/proc/${name}/cmdline`, "latin1").startsWith(program);
    } catch {
      return false; // it has ended
    }
  });
  return pid === undefined ? null : Number(pid);
}
