/** What the proofs of gates share: a tree, processes that open its files, and how long one may be held. */
import { openSync, closeSync, readFileSync } from "node:fs";
import { expect } from "bun:test";
import { compileC } from "../../scripts/c-program.ts";
import { Openers, type PhaseReport } from "../../scripts/openers.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { report } from "../helpers/report.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";

/** How long each load lasts: `bun run bench proofs` asks for a minute. */
export const loadSeconds = Number(process.env["FACRON_PROOF_SECONDS"] ?? 3);

/** The README's promise, whatever happens to facron. */
export const heldMsMax = 2_000;

/** For machines that have more to do. */
export const slackMs = 2_000;

export const deniedSuffix = ".bad";

/** Its files, and the program that opens them, which no gate is asked about. */
export interface Load {
  readonly dir: TempDir;
  readonly tree: string;
  /** Each of them ends in the suffix. */
  readonly denied: string;
  readonly allowed: string;
  readonly program: string;
}

/** @param tree an empty directory, else one is made */
export function makeLoad({ tree }: { tree?: string } = {}): Load {
  const dir = tempDir();
  const program = compileC("bench-gate.c", dir.join("bench-gate"));
  const top = tree ?? dir.mkdir("tree");
  const { success } = Bun.spawnSync([program, "make-tree", top, "10", "100", deniedSuffix]);
  if (!success) throw new Error(`Cannot make the tree ${top}`);
  const [denied, allowed] = [`${top}/d0/f9${deniedSuffix}`, `${top}/d0/f0.txt`];
  return { dir, tree: top, denied, allowed, program };
}

export function startOpeners({ program, tree }: Load, count = 8): Openers {
  const openers = new Openers({ program, directory: tree, count, suffix: deniedSuffix });
  atTestEnd(() => openers.kill());
  return openers;
}

/** A gate that denies by the name. */
export function denyGate(tree: string, more = ""): string {
  return (
    `[[gate]]\nname = "no bad"\nwatch = "${tree}"\nrecursive = true\non = "open_perm"\n` +
    `include = ["*${deniedSuffix}"]\nverdict = "deny"\n${more}\n`
  );
}

/** By this process, which facron did not start. */
export function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, "r"));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPERM") return false;
    throw error;
  }
}

export function pass(ms: number): Promise<void> {
  return Bun.sleep(ms);
}

/** Every verdict right, and nobody left waiting. */
export function expectRight(row: string, phase: PhaseReport): void {
  told(row, phase);
  const { wrong, failed, stuck, wrongPath } = phase;
  expect({ wrong, failed, stuck, wrongPath }).toEqual({
    ...{ wrong: 0, failed: 0, stuck: 0, wrongPath: "" },
  });
  expect(phase.opens).toBeGreaterThan(0);
}

/** Whatever the verdicts were, nobody waited for longer than is promised. */
export function expectBounded(row: string, phase: PhaseReport): void {
  told(row, phase);
  expect(phase.stuck).toBe(0);
  expect(phase.maxNs / 1e6).toBeLessThan(heldMsMax + slackMs);
}

function told(row: string, phase: PhaseReport): void {
  const us = (ns: number): number => Math.round(ns / 1000);
  report("gates", row, {
    opens: phase.opens,
    perSecond: Math.round(phase.opens / (phase.ns / 1e9)),
    wrong: phase.wrong,
    ...{ p50Us: us(phase.p50Ns), p999Us: us(phase.p999Ns), maxUs: us(phase.maxNs) },
  });
}

/** The kernel holds it until somebody has decided: proc_pid_wchan(5). */
export function isHeld(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/wchan`, "utf8").startsWith("fanotify_");
  } catch {
    return false; // ended
  }
}
