/** Processes that open files as fast as they can and check each verdict: `open` of bench-gate.c. */
import { z } from "zod";

/** What is to be: nothing is denied; just what has the suffix; anything (not judged). */
export type Expectation = "none" | "deny" | "either";

/** Of one phase. Times are those of one open(2) each, nanoseconds. */
const phaseReport = z.object({
  ns: z.number(),
  opens: z.number(),
  denied: z.number(),
  wrong: z.number(),
  /** Errors that are no verdict. */
  failed: z.number(),
  /** Processes that were still in that open ten seconds after the phase. */
  stuck: z.number(),
  p50Ns: z.number(),
  p99Ns: z.number(),
  p999Ns: z.number(),
  maxNs: z.number(),
  /** The last with a wrong verdict; "" if there is none. */
  wrongPath: z.string(),
});

export type PhaseReport = z.infer<typeof phaseReport>;

export interface OpenersOptions {
  /** bench-gate.c, compiled. */
  readonly program: string;
  readonly directory: string;
  readonly count: number;
  /** Ends the names that are denied. */
  readonly suffix: string;
  /** Before the program: what it is started with, as nsenter(1). */
  readonly within?: readonly string[];
}

/** The caller sees to it that they are killed, however its own work ends. */
export class Openers {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #chunks: AsyncIterator<string>;
  #buffered = "";

  constructor({ program, directory, count, suffix, within = [] }: OpenersOptions) {
    this.#child = Bun.spawn([...within, program, "open", directory, String(count), suffix], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const text = this.#child.stdout.pipeThrough(new TextDecoderStream());
    this.#chunks = text[Symbol.asyncIterator]();
  }

  /** Begin the first phase. */
  start(expected: Expectation): void {
    this.#say(expected);
  }

  /** End the phase and begin another. @returns what the one that ended was like */
  async next(expected: Expectation): Promise<PhaseReport> {
    this.#say(expected);
    return await this.#report();
  }

  /** The report of the last phase. */
  async end(): Promise<PhaseReport> {
    this.#say("end");
    const last = await this.#report();
    await this.#child.exited;
    return last;
  }

  /** Its children go with it. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #say(word: string): void {
    this.#child.stdin.write(`${word}\n`);
    void this.#child.stdin.flush();
  }

  async #report(): Promise<PhaseReport> {
    while (!this.#buffered.includes("\n")) {
      const { value, done } = await this.#chunks.next();
      if (done === true) throw new Error("The openers ended before their report");
      this.#buffered += value;
    }
    const end = this.#buffered.indexOf("\n");
    const line = this.#buffered.slice(0, end);
    this.#buffered = this.#buffered.slice(end + 1);
    return phaseReport.parse(JSON.parse(line));
  }
}
