/** What the proofs share: how often, with which backends, the writer's process, and how lines are counted. */
import { join } from "node:path";
import { Quiet } from "../contract/quiet.ts";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { collectLines, type Lines } from "../helpers/lines.ts";
import { needsRoot } from "../helpers/requires.ts";
import { waitFor } from "../helpers/wait-for.ts";
import { fdinfoOf } from "../reader/fdinfo.ts";
import type { Kind } from "./writer.ts";

/** Rounds of each proof; `bun run bench proofs` asks for 10,000 of them. */
export function proofCount(usual: number): number {
  return Number(process.env["FACRON_PROOF_COUNT"] ?? usual);
}

/** Milliseconds that a proof of so many rounds may take on a slow and busy machine. */
export function proofTimeoutMs(rounds: number): number {
  return 60_000 + rounds * 30;
}

export const proofTest = needsRoot("uses fanotify and mounts filesystems");

/** Records may wait in the kernel's queue until there are so many bytes; the default limit is far off. */
const queuedBytesMax = 128 * 1024;

/** Rounds between two looks at the queue. */
const batch = 50;

/** The writer's process: its own, so that its work is no facron's and no test runner's. */
export class ProofWriter {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: Lines;
  #asked = 0;

  constructor(kind: Kind, directory: string) {
    const program = join(import.meta.dir, "writer.ts");
    this.#process = Bun.spawn([process.execPath, program, kind, directory], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#lines = collectLines(this.#process.stdout, { strict: true });
    atTestEnd(() => this.#process.kill("SIGKILL"));
  }

  /** Do so many rounds. */
  async rounds(count: number, deadlineMs = 120_000): Promise<void> {
    this.#process.stdin.write(`${count}\n`);
    await this.#process.stdin.flush();
    const at = this.#asked++;
    const isDone = (): boolean => {
      if (this.#lines.ended && this.#lines.lines[at] === undefined)
        throw new Error("The writer died");
      return this.#lines.lines[at] !== undefined;
    };
    await waitFor(() => isDone() || null, { what: `${count} rounds of the writer`, deadlineMs });
  }

  /** So many rounds as fast as it goes; it waits only when the kernel's queue would get full. */
  async fast(count: number, quiet: Quiet): Promise<void> {
    for (let left = count; left > 0; left -= batch) {
      await this.rounds(Math.min(batch, left));
      await waitFor(() => quiet.queuedBytes < queuedBytesMax || null, {
        what: "facron to catch up",
        deadlineMs: 60_000,
      });
    }
    await quiet.wait();
  }

  /** One round at a time: the next when facron has told of the one before. */
  async paced(count: number, quiet: Quiet): Promise<void> {
    for (let n = 0; n < count; n++) {
      await this.rounds(1);
      await quiet.wait();
    }
  }
}

/** Counts how often each thing came. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** Of those that were expected, what is not there; of all that is there, what is there too often or was not expected. */
  against(expected: ReadonlySet<string>): Difference {
    const seen = [...this.#counts];
    return {
      lost: [...expected].filter((what) => !this.#counts.has(what)),
      doubled: seen.flatMap(([what, n]) => (expected.has(what) && n > 1 ? [what] : [])),
      wrong: seen.flatMap(([what]) => (expected.has(what) ? [] : [what])),
    };
  }
}

export interface Difference {
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly wrong: readonly string[];
}

export const noDifference: Difference = { lost: [], doubled: [], wrong: [] };

/** The same with a few examples of each, for a message. */
export function examplesOf({ lost, doubled, wrong }: Difference): Difference {
  const some = (of: readonly string[]) =>
    of.length > 5 ? [...of.slice(0, 5), `and ${of.length - 5} more`] : of;
  return { lost: some(lost), doubled: some(doubled), wrong: some(wrong) };
}

export function countsOf({ lost, doubled, wrong }: Difference): Record<string, number> {
  return { lost: lost.length, doubled: doubled.length, wrong: wrong.length };
}

/** Marks that a process has in the kernel, those above its roots included. */
export function markCount(pid: number): number {
  return markCounts(pid).reduce((sum, count) => sum + count, 0);
}

/** Marks of the queue that has the most: not those above the roots, which are few. */
export function mostMarks(pid: number): number {
  return Math.max(...markCounts(pid));
}

/** Of each descriptor, counted without reading each mark: a proof may have 60,000. */
function markCounts(pid: number): number[] {
  const files = [...new Bun.Glob("*").scanSync({ cwd: `/proc/${pid}/fdinfo`, onlyFiles: false })];
  const texts = files.map((file) => fdinfoOf(pid, file));
  return texts.map((text) => text.match(/^(inotify wd|fanotify ino):/gm)?.length ?? 0);
}
