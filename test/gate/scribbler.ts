/** scribbler.c: a process that writes to a map of a file, when it is told to. */
import { join } from "node:path";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { collectLines } from "../helpers/lines.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

export class Scribbler {
  readonly #process: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #said;
  #count = 0;

  /** @param keeps the map only, or its descriptor too */
  constructor(path: string, keeps: "map" | "descriptor" = "descriptor") {
    const program = tempDir().join("scribbler");
    const source = join(import.meta.dirname, "scribbler.c");
    const cc = Bun.spawnSync(["cc", "-O1", "-Wall", "-Werror", "-o", program, source]);
    if (!cc.success) throw new Error(cc.stderr.toString());
    const options = keeps === "map" ? ["close"] : [];
    this.#process = Bun.spawn([program, path, ...options], { stdin: "pipe", stdout: "pipe" });
    atTestEnd(() => this.#process.kill("SIGKILL"));
    this.#said = collectLines(this.#process.stdout, { strict: true });
  }

  /** Another byte in the place of the first. */
  async write(): Promise<void> {
    this.#process.stdin.write("\n");
    this.#process.stdin.flush();
    await this.#next("written");
  }

  async close(): Promise<void> {
    this.#process.stdin.end();
    await this.#next("closed");
    await this.#process.exited;
  }

  async #next(word: string): Promise<void> {
    const at = this.#count++;
    await waitFor(() => this.#said.lines[at] === word, { what: `the scribbler to say ${word}` });
  }
}
