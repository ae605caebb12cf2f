/** Starts dist/facron, collects what it says, sends it signals and never leaves it running. */
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../../scripts/build.ts";
import { atTestEnd } from "./at-test-end.ts";
import { collectLines, type Lines } from "./lines.ts";
import { waitFor } from "./wait-for.ts";

export const binaryPath = join(import.meta.dir, "../../dist/facron");

export interface RunOptions {
  /** Default "/", so that nothing is found by chance. */
  readonly cwd?: string;
  /** Added to PATH and LANG; nothing else is inherited, CI least of all. */
  readonly env?: Readonly<Record<string, string>>;
  /** Text that it reads, or a descriptor. Default: /dev/null. */
  readonly stdin?: string | number;
  /** A descriptor to write to in place of being collected: `openPipe()` for one that nobody reads. */
  readonly stdout?: number;
  readonly stderr?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Another program than dist/facron, and what stands before it: ["strace", "-f", binaryPath]. */
  readonly command?: readonly string[];
}

export interface Exit {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** One JSON line, read back. */
export type EventLine = { readonly [field: string]: unknown; readonly seq: number } & {
  readonly events: readonly string[];
  readonly path?: string;
};

/** Start it. A binary that is older than its sources is built anew first. */
export function runBinary(args: readonly string[], options: RunOptions = {}): RunningBinary {
  if ((options.command ?? [binaryPath]).includes(binaryPath)) buildOnce();
  const running = new RunningBinary(args, options);
  atTestEnd(() => running[Symbol.asyncDispose]());
  return running;
}

let built = false;

function buildOnce(): void {
  if (!built) build();
  built = true;
}

export class RunningBinary implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  readonly #mark = randomUUID();
  readonly #stdout: Lines;
  readonly #stderr: Lines;
  readonly #events: EventLine[] = [];

  constructor(args: readonly string[], options: RunOptions) {
    const { command = [binaryPath], cwd = "/", env, stdin, stdout, stderr, uid, gid } = options;
    this.#process = Bun.spawn([...command, ...args], {
      cwd,
      env: { PATH: process.env["PATH"], LANG: "C.UTF-8", ...env, FACRON_TEST_MARK: this.#mark },
      stdin: typeof stdin === "string" ? new Blob([stdin]) : (stdin ?? "ignore"),
      stdout: stdout ?? "pipe",
      stderr: stderr ?? "pipe",
      detached: true, // a terminal's Ctrl-C is for the tests
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    this.#stdout = collectLines(this.#process.stdout, { strict: true });
    this.#stderr = collectLines(this.#process.stderr, { strict: false });
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** The complete lines of stdout so far. @throws {TypeError} once a byte was not UTF-8 */
  get lines(): readonly string[] {
    return this.#stdout.lines;
  }

  /** Those lines as JSON. @throws {SyntaxError} if one is not */
  get events(): readonly EventLine[] {
    const { lines } = this.#stdout;
    for (let at = this.#events.length; at < lines.length; at++) {
      this.#events.push(JSON.parse(lines[at]!));
    }
    return this.#events;
  }

  /** What stdout ended with after its last newline: "" unless a line was cut. */
  get cutLine(): string {
    return this.#stdout.rest;
  }

  /** Everything on stderr so far. */
  get log(): string {
    return [...this.#stderr.lines, this.#stderr.rest].join("\n");
  }

  get exited(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Wait until every watch is set: `await using facron = await runBinary([...]).ready()`. */
  async ready(deadlineMs = 10_000): Promise<this> {
    await this.waitForLog(/^facron: ready$/m, deadlineMs);
    return this;
  }

  /** Wait for text on stderr. @returns the match */
  async waitForLog(pattern: RegExp, deadlineMs = 10_000): Promise<RegExpMatchArray> {
    return this.#waitFor(() => this.log.match(pattern), `${pattern} on stderr`, deadlineMs);
  }

  /** Wait for an event on stdout. @returns the first that `matches` */
  async waitForEvent(
    what: string,
    matches: (event: EventLine) => boolean,
    deadlineMs = 10_000,
  ): Promise<EventLine> {
    return this.#waitFor(() => this.events.find(matches), what, deadlineMs);
  }

  /** Wait until stdout has at least `count` lines. */
  async waitForLines(count: number, deadlineMs = 10_000): Promise<readonly string[]> {
    const enough = () => this.lines.length >= count && this.lines;
    return this.#waitFor(enough, `${count} lines on stdout`, deadlineMs);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Wait for its end and for the last of its output. */
  async exit(deadlineMs = 20_000): Promise<Exit> {
    const over = () => this.exited && this.#stdout.ended && this.#stderr.ended;
    await waitFor(over, { what: "the end of facron", deadlineMs, state: () => this.#state() });
    const { exitCode, signalCode } = this.#process;
    if (signalCode === null) return { code: exitCode, signal: null };
    return { code: null, signal: String(signalCode) };
  }

  /** Send a signal and wait for the end. */
  async stop(signal: NodeJS.Signals = "SIGTERM", deadlineMs = 20_000): Promise<Exit> {
    this.signal(signal);
    return this.exit(deadlineMs);
  }

  /** SIGKILL to it and to the commands that it left behind. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.exited;
    await killMarked(this.#mark);
  }

  /** As `waitFor`, but the end of the program ends the waiting too. */
  #waitFor<T>(condition: () => T, what: string, deadlineMs: number) {
    const either = () => {
      const hasEnded = this.exited && this.#stdout.ended && this.#stderr.ended;
      const value = condition();
      if (hasEnded && !value) throw new Error(`facron ended before ${what}:\n${this.#state()}`);
      return value;
    };
    return waitFor(either, { what, deadlineMs, state: () => this.#state() });
  }

  #state(): string {
    const { exitCode, signalCode } = this.#process;
    const end = this.exited ? `ended with ${signalCode ?? exitCode}` : `runs as ${this.pid}`;
    const last = this.#stdout.lines.slice(-20).join("\n");
    const count = this.#stdout.lines.length;
    return `facron ${end}\n-- stdout, the last of ${count} lines:\n${last}\n-- stderr:\n${this.log}`;
  }
}

/**
 * Commands may have their own process groups; what they inherit is the environment.
 *
 * A process that is just in execve(2) shows none, hence a second look.
 */
async function killMarked(mark: string): Promise<void> {
  const killed = new Set<string>();
  let looksWithout = 0;
  const allEnded = () => {
    const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
    const found = pids.filter((pid) => killIfMarked(pid, mark));
    for (const pid of found) killed.add(pid);
    looksWithout = found.length === 0 ? looksWithout + 1 : 0;
    return looksWithout >= 2 && [...killed].every(hasEnded);
  };
  await waitFor(allEnded, { what: "the end of its commands", state: () => [...killed].join(" ") });
}

function killIfMarked(pid: string, mark: string): boolean {
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
    return environment.includes(mark) && process.kill(Number(pid), "SIGKILL");
  } catch {
    return false; // gone meanwhile, or another user's
  }
}

/** A dying process loses its environment first, its files and its directory only when it is a zombie. */
function hasEnded(pid: string): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true;
  }
}
