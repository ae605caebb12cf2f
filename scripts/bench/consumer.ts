/** A program under measurement: started, ready, stopped, continued by others, ended. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defer } from "./cleanup.ts";
import { isStopped, watches } from "./process-info.ts";
import type { Workspace } from "./workspace.ts";

export interface Command {
  readonly argv: readonly string[];
  readonly cwd?: string;
  /** What it prints on stderr when every watch is set; without it, its marks in /proc tell. */
  readonly readyText?: string;
}

export interface StartOptions {
  /** The directory that it is to watch. */
  readonly directory: string;
  /** Descriptor for its stdout; without one, /dev/null. */
  readonly stdout?: number;
  /** Default 15,000. */
  readonly readyWithinMs?: number;
}

type Child = Bun.Subprocess;

const children = new Set<Child>();

/** Spawn a child that does not outlive the run. */
export function spawnTracked<const Options extends object>(
  argv: readonly string[],
  options: Options,
): Child {
  killChildrenAtEnd();
  const child = Bun.spawn([...argv], options);
  children.add(child);
  void child.exited.then(() => children.delete(child));
  return child;
}

let killedAtEnd = false;

function killChildrenAtEnd(): void {
  if (killedAtEnd) return;
  killedAtEnd = true;
  defer(() => {
    for (const child of children) child.kill("SIGKILL");
  });
}

let logs = 0;

export class Consumer {
  readonly pid: number;
  readonly #child: Child;
  readonly #log: string;

  private constructor(child: Child, log: string) {
    this.pid = child.pid;
    this.#child = child;
    this.#log = log;
  }

  /** Start it and wait until it watches. */
  static async start(
    workspace: Workspace,
    command: Command,
    options: StartOptions,
  ): Promise<Consumer> {
    logs += 1;
    const log = join(workspace.scratch, `stderr-${logs}`);
    const child = spawnTracked(command.argv, {
      stdin: "ignore",
      stdout: options.stdout ?? "ignore",
      stderr: Bun.file(log),
      ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
    });
    const consumer = new Consumer(child, log);
    await consumer.#becomeReady(command, options);
    return consumer;
  }

  /** SIGSTOP: its events queue in the kernel until someone sends SIGCONT. */
  async stop(): Promise<void> {
    this.#child.kill("SIGSTOP");
    await this.#waitUntil("has stopped", () => isStopped(this.pid));
  }

  /** Wait until its stderr has said `text` so many times. */
  async said(text: string, times: number): Promise<void> {
    await this.#waitUntil(`has said ${text}`, () => this.#timesSaid(text) >= times);
  }

  #timesSaid(text: string): number {
    return readFileSync(this.#log, "utf8").split(text).length - 1;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that has done nothing for ten seconds. */
  async end(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#child.exited;
    clearTimeout(timer);
  }

  /** One that does not become ready does not go on running either. */
  async #becomeReady(command: Command, { directory, readyWithinMs }: StartOptions): Promise<void> {
    try {
      await this.#waitUntil("is ready", () => this.#isReady(command, directory), readyWithinMs);
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    }
  }

  #isReady(command: Command, directory: string): boolean {
    if (command.readyText === undefined) return watches(this.pid, directory);
    return readFileSync(this.#log, "utf8").includes(command.readyText);
  }

  async #waitUntil(state: string, isTrue: () => boolean, withinMs = 15_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (this.#child.exitCode === null && performance.now() < deadline) {
      if (isTrue()) return;
      await Bun.sleep(2);
    }
    throw new Error(`Cannot wait until it ${state}: ${this.#logTail()}`);
  }

  #logTail(): string {
    const tail = readFileSync(this.#log, "utf8").slice(-500).trim();
    return tail === "" ? "it said nothing" : tail;
  }
}
