/** One shell that does the acts of a script, line by line. */
import { collectLines, type Lines } from "../helpers/lines.ts";
import { waitFor } from "../helpers/wait-for.ts";

/**
 * facron may look at a path on the filesystem just then, whatever the reason: any mount on the machine is
 * one. That is a matter of milliseconds.
 */
const patientUmount = `umount() {
  tries=0
  until said=$(command umount "$@" 2>&1); do
    tries=$((tries + 1))
    case $said in *busy*) ;; *) tries=1000 ;; esac
    if [ $tries -ge 1000 ]; then echo "$said" >&2; return 1; fi
  done
}
`;

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
    this.#process.stdin.write(patientUmount);
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
