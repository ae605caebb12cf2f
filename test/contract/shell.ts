/** One shell that does the acts of a script, line by line. */
import { collectLines, type Lines } from "../helpers/lines.ts";
import { waitFor } from "../helpers/wait-for.ts";

export class Shell implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #stdout: Lines;
  readonly #stderr: Lines;
  #steps = 0;

  constructor(cwd: string, env: Readonly<Record<string, string>> = {}) {
    this.#process = Bun.spawn(["/bin/sh", "-eu"], {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", LANG: "C.UTF-8", ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#stdout = collectLines(this.#process.stdout, { strict: false });
    this.#stderr = collectLines(this.#process.stderr, { strict: false });
  }

  /** @throws {Error} if a command fails */
  async run(text: string): Promise<void> {
    const done = `done ${++this.#steps}`;
    this.#process.stdin.write(`${text}\necho ${done}\n`);
    await this.#process.stdin.flush();
    const over = () => {
      if (this.#stdout.ended) throw new Error(`${text}\n${this.#stderr.lines.join("\n")}`);
      return this.#stdout.lines.includes(done);
    };
    await waitFor(over, { what: text });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }
}
