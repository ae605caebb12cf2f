/** Tests that need root or a tool: skipped with a reason on a developer's machine, never as root in CI. */
import { release } from "node:os";
import { test } from "bun:test";

export interface Needs {
  /** Why root is needed: "mounts a filesystem". */
  readonly root?: string;
  /** Programs that must be on PATH. */
  readonly tools?: readonly string[];
  /** The lowest kernel: "5.17". */
  readonly kernel?: string;
  /** Anything else: what is missing, or null. */
  readonly missing?: () => string | null;
}

/** Takes a name, the test and its options, as `test` does. */
export type TestFunction = (
  name: string,
  run: () => void | Promise<void>,
  timeoutMs?: number,
) => void;

/** No skips: here a test that cannot run is a test that fails. */
const everythingMustRun = isRoot() && isSet(process.env["CI"]);

/** `const rootTest = needsRoot("mounts a filesystem")`, then `rootTest("name", () => ...)`. */
export function needsRoot(reason: string): TestFunction {
  return requires({ root: reason });
}

/** `test` if everything is there, else a test that says what is missing: by failing, or as a skip. */
export function requires(needs: Needs): TestFunction {
  const missing = missingOf(needs);
  if (missing.length === 0) return (name, run, timeoutMs) => test(name, run, timeoutMs);
  const reason = missing.join("; ");
  if (everythingMustRun) {
    return (name) => test(name, () => fail(reason));
  }
  return (name) => {
    console.error(`skip: ${name}: ${reason}`);
    test.skip(name, () => {});
  };
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

function fail(reason: string): never {
  throw new Error(`Cannot run this test: ${reason} (no skips as root with CI set)`);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}

function missingOf({ root, tools = [], kernel, missing }: Needs): string[] {
  const reasons = tools
    .filter((tool) => findTool(tool) === null)
    .map((tool) => `needs ${tool}, which is not on PATH`);
  if (root !== undefined && !isRoot()) reasons.unshift(`needs root: ${root}`);
  if (kernel !== undefined && !kernelIsAtLeast(kernel)) reasons.push(`needs Linux ${kernel}`);
  const other = missing?.() ?? null;
  if (other !== null) reasons.push(other);
  return reasons;
}

/** mkfs.* and incrond are in /usr/sbin, which is not on everybody's PATH. */
export function findTool(name: string): string | null {
  return Bun.which(name, { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` });
}

function kernelIsAtLeast(version: string): boolean {
  const running = /^\d+\.\d+/.exec(release())![0];
  return Bun.semver.order(`${running}.0`, `${version}.0`) >= 0;
}
