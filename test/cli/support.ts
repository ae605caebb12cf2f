/** What the tests of the built binary have in common: asking it once, its files, its processes. */
import { expect } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import {
  binaryPath,
  type Exit,
  runBinary,
  type RunningBinary,
  type RunOptions,
} from "../helpers/run-binary.ts";
import { waitFor } from "../helpers/wait-for.ts";

/** A user and group without any privilege. */
export const nobody = { uid: 65534, gid: 65534 } as const;

export interface Answer extends Exit {
  readonly stdout: string;
  readonly stderr: string;
}

/** Run it to its end. */
export async function answerTo(args: readonly string[], options: RunOptions = {}): Promise<Answer> {
  const running = runBinary(args, options);
  const exit = await running.exit();
  const stdout = [...running.lines, running.cutLine].join("\n");
  return { ...exit, stdout, stderr: running.log };
}

/** One clear sentence on stderr, nothing on stdout, and the exit code. */
export function expectRefusal(answer: Answer, says: RegExp | string, code = 2): void {
  expect(answer.stderr).toMatch(/^facron: error: [^\n]*[^\n.]\n$/);
  if (typeof says === "string") expect(answer.stderr).toBe(`facron: error: ${says}\n`);
  else expect(answer.stderr).toMatch(says);
  expect(answer.stdout).toBe("");
  expect({ code: answer.code, signal: answer.signal }).toEqual({ code, signal: null });
}

/** Options for a start by way of a shell script: there `"$0" "$@"` is facron with its arguments. */
export function by(script: string, shell = "/bin/sh"): { readonly command: readonly string[] } {
  return { command: [shell, "-c", script, binaryPath] };
}

/** `count` files, each created, written and closed: PREFIX0, PREFIX1, ... */
export function writeFiles(directory: string, count: number, prefix = "f"): void {
  for (let i = 0; i < count; i++) writeFileSync(`${directory}/${prefix}${i}`, "");
}

/** SIGSTOP, and it has stopped: what happens now waits in the kernel until SIGCONT. */
export async function stopped(facron: RunningBinary): Promise<void> {
  facron.signal("SIGSTOP");
  const isStopped = () => statusOf(facron.pid)?.["State"]?.startsWith("T") === true;
  await waitFor(isStopped, { what: "SIGSTOP to stop facron" });
}

/** Fails unless the lines are numbered 1, 2, 3, ... */
export function expectNoGap(facron: RunningBinary): void {
  const firstWrong = facron.events.findIndex(({ seq }, index) => seq !== index + 1);
  expect(firstWrong).toBe(-1);
}

/** Lines of a file that a test's script writes; none if it is not there yet. */
export function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}

/** Processes whose parent is `pid`. */
export function childrenOf(pid: number): number[] {
  return processes().filter((child) => statusOf(child)?.["PPid"] === String(pid));
}

/** /proc/PID/status by its names, null if the process is gone. */
export function statusOf(pid: number, thread = pid): Record<string, string> | null {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/status`, "utf8");
    const pairs = text.trimEnd().split("\n");
    return Object.fromEntries(pairs.map((pair) => pair.split(/:\s*/, 2) as [string, string]));
  } catch {
    return null;
  }
}

/** Runs, and is no zombie. */
export function isAlive(pid: number): boolean {
  const status = statusOf(pid);
  return status !== null && !status["State"]!.startsWith("Z");
}

function processes(): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}
