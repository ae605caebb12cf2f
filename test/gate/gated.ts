/** facron with gates, and children that open what is gated: a test never does so itself. */
import { type RunningBinary, type RunOptions, runBinary } from "../helpers/run-binary.ts";
import { tempDir } from "../helpers/temp-dir.ts";

/** Start the built binary with this TOML, and wait until its gates are in force. */
export function gated(
  toml: string,
  words: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunningBinary> {
  const config = tempDir().write("gates.toml", toml);
  return runBinary(["--config", config, ...words], options).ready();
}

/** Whoever is held longer than this is held for ever. */
const longestMs = 15_000;

/**
 * Let a child do something, and say how it went: "ok", or the last words of its last line of complaint, as
 * "Operation not permitted"; "hangs" if it had to be killed.
 */
export function outcome(...command: string[]): string {
  const { exitCode, stderr, signalCode } = Bun.spawnSync(command, {
    ...{ stdin: "ignore", stdout: "ignore", stderr: "pipe", timeout: longestMs },
    ...{ killSignal: "SIGKILL", env: { PATH: process.env["PATH"], LC_ALL: "C" } },
  });
  if (signalCode !== undefined) return "hangs";
  return exitCode === 0 ? "ok" : (stderr.toString().trim().split(": ").at(-1) ?? "");
}

/** As `outcome`, of a line for a shell. */
export function outcomeOf(line: string): string {
  return outcome("sh", "-c", line);
}

export const denied = "Operation not permitted";
