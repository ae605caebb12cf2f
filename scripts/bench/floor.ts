/** Sub-commands of the C half (bench-floor.c) run from here, and the forms of what they report. */
import { z } from "zod";
import { spawnTracked } from "./consumer.ts";
import type { Workspace } from "./workspace.ts";

/** `count-lines`: lines until the last one, and the time and the consumer's CPU time that they took. */
export const drainReport = z.object({
  lines: z.number(),
  bytes: z.number(),
  ns: z.number(),
  cpuNs: z.number(),
});

/** `latency`, `action` and `time-ready`: one time per event that was answered. */
export const timesReport = z.object({ lost: z.number(), ns: z.array(z.number()) });

/** `burst` and `count-records`: files whose command ran, runs too many, first close to last main(). */
export const ranReport = z.object({ ran: z.number(), extra: z.number(), ns: z.number() });

/** `cpu-time`: exact where the ticks of /proc are coarse. */
export const cpuReport = z.object({ ns: z.number() });

/** `check-lines`: what the JSON lines said. */
export const tallyReport = z.object({
  lines: z.number(),
  closeWrites: z.number(),
  lostRecords: z.number(),
  seqGaps: z.number(),
  lastSeq: z.number(),
});

export interface FloorOptions {
  /** Descriptor for its stdin: the read end of a consumer's pipe. */
  readonly stdin?: number;
}

type Word = string | number;

/** Run a sub-command that only acts. */
export async function runFloor(workspace: Workspace, words: readonly Word[]): Promise<void> {
  await new FloorRun(workspace, words).rest();
}

/** Run a sub-command and parse its one report. */
export async function measureFloor<Report>(
  workspace: Workspace,
  words: readonly Word[],
  options: FloorOptions & { form: z.ZodType<Report> },
): Promise<Report> {
  const text = await new FloorRun(workspace, words, options).rest();
  return options.form.parse(JSON.parse(text));
}

/** A sub-command that runs, and may report more than once. */
export class FloorRun {
  readonly #name: string;
  readonly #child: Bun.Subprocess;
  readonly #chunks: AsyncIterator<string>;
  #buffered = "";

  constructor(workspace: Workspace, words: readonly Word[], options: FloorOptions = {}) {
    this.#name = `bench-floor ${words[0]}`;
    this.#child = spawnTracked([workspace.floor, ...words.map(String)], {
      stdin: options.stdin ?? "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const stdout = this.#child.stdout as ReadableStream<Uint8Array<ArrayBuffer>>;
    this.#chunks = stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  }

  /** The next line of its stdout; "" at the end. */
  async line(): Promise<string> {
    while (!this.#buffered.includes("\n") && (await this.#readMore())) {}
    const end = this.#buffered.indexOf("\n") + 1;
    const line = this.#buffered.slice(0, end);
    this.#buffered = this.#buffered.slice(end);
    return line;
  }

  /** For those that go on until then. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** What is left of its stdout, once it has ended well. */
  async rest(): Promise<string> {
    while (await this.#readMore()) {}
    const status = await this.#child.exited;
    if (status !== 0) throw new Error(`${this.#name} ended with ${status}`);
    return this.#buffered;
  }

  async #readMore(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done !== true) this.#buffered += value;
    return done !== true;
  }
}
