/** facron as guard.test.ts needs it: listener.ts with a directory of its own, openers, and an end for all of it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { atTestEnd } from "../helpers/at-test-end.ts";
import { collectLines } from "../helpers/lines.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait-for.ts";

const here = import.meta.dir;

/** What openers.c says. */
export interface Tally {
  readonly opens: number;
  /** Opens of what is to be denied that were allowed, and the other way round. */
  readonly passed: number;
  readonly failed: number;
  readonly longestMs: number;
}

/** Compile openers.c. @returns the path of the program */
export function buildOpeners(): string {
  const program = tempDir().join("openers");
  const cc = ["cc", "-O2", "-Wall", "-Werror", "-o", program, join(here, "openers.c")];
  const { success, stderr } = Bun.spawnSync(cc);
  if (!success) throw new Error(stderr.toString());
  return program;
}

export class GuardScene {
  readonly directory: string;
  readonly #openers: string;
  readonly #listener: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #stdout;
  readonly #stderr;

  private constructor(openers: string, directory: string, options: readonly string[]) {
    this.directory = directory;
    this.#openers = openers;
    this.#listener = Bun.spawn(
      [process.execPath, join(here, "listener.ts"), directory, ...options],
      {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    this.#stdout = collectLines(this.#listener.stdout, { strict: true });
    this.#stderr = collectLines(this.#listener.stderr, { strict: false });
  }

  /** Gates on a directory. @param options of listener.ts */
  static async start(openers: string, ...options: readonly string[]): Promise<GuardScene> {
    const directory = tempDir();
    for (const name of ["allow", "deny", "hold", "hang"]) directory.write(name);
    directory.script("hold-program", `touch ${directory.join("made")}`);
    const scene = new GuardScene(openers, directory.path, options);
    atTestEnd(() => scene.#end());
    const watches = () => scene.#stdout.lines.includes("watching");
    await waitFor(watches, { what: "the listener to watch", state: () => scene.log });
    return scene;
  }

  get pid(): number {
    return this.#listener.pid;
  }

  get log(): string {
    return [...this.#stderr.lines, this.#stderr.rest].join("\n");
  }

  /** Of the guard that runs now; null if there is none. */
  get guardPid(): number | null {
    return this.#children().find(isGuard) ?? null;
  }

  /** Of a program that it was told to start; null if there is none. */
  get programPid(): number | null {
    return this.#children().find((pid) => !isGuard(pid)) ?? null;
  }

  #children(): number[] {
    const pids = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
    return pids.map(Number).filter((pid) => statusOf(pid, "PPid") === String(this.pid));
  }

  /** Its gate thread has a question that it does not answer. */
  get holds(): boolean {
    return this.#stdout.lines.includes("holds");
  }

  signal(signal: NodeJS.Signals): void {
    this.#listener.kill(signal);
  }

  /** One line to its stdin. */
  tell(line: string): void {
    this.#listener.stdin.write(`${line}\n`);
    void this.#listener.stdin.flush();
  }

  async mark(path: string): Promise<void> {
    this.tell(`mark ${path}`);
    await waitFor(() => this.#stdout.lines.includes(`marked ${path}`), { what: "the mark" });
  }

  /** Open "allow" and "deny" in turn, or what is named, at least once in each process. */
  async open({
    processes = 8,
    forMs = 0,
    name = "",
    directory = this.directory,
  } = {}): Promise<Tally> {
    const words = [directory, String(processes), String(forMs), ...(name === "" ? [] : [name])];
    const child = Bun.spawn(["timeout", "-s", "KILL", "40", this.#openers, ...words], {
      stdout: "pipe",
    });
    const [opens, passed, failed, longest] = (await child.stdout.text()).split(" ").map(Number);
    if (longest === undefined) throw new Error(`Openers were not released:\n${this.log}`);
    return { opens: opens!, passed: passed!, failed: failed!, longestMs: longest / 1_000 };
  }

  /** Both, as nobody is to be left waiting. */
  async #end(): Promise<void> {
    const guard = this.guardPid;
    this.signal("SIGKILL");
    if (guard !== null) killNow(guard);
    await this.#listener.exited;
  }
}

function isGuard(pid: number): boolean {
  return statusOf(pid, "Name") === "facron-guard" && !hasEnded(pid);
}

/** A field of /proc/PID/status; null if the process is gone. */
export function statusOf(pid: number | string, field: string): string | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(status)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Whether a thread of the process is in a system call that only SIGKILL ends, or nothing. */
export function isBlocked(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.some((thread) => statusOf(`${pid}/task/${thread}`, "State")?.startsWith("D"));
}

/** Whether a thread of the process is in read(2) of something else than stdin. */
export function isReading(pid: number): boolean {
  const number = process.arch === "arm64" ? 63 : 0;
  const calls = readdirSync(`/proc/${pid}/task`).map((thread) => {
    return readFileSync(`/proc/${pid}/task/${thread}/syscall`, "latin1");
  });
  return calls.some(
    (call) => call.startsWith(`${number} 0x`) && !call.startsWith(`${number} 0x0 `),
  );
}

/** Whether the process has a permission group. */
export function hasGroup(pid: number): boolean {
  return readdirSync(`/proc/${pid}/fdinfo`).some((fd) => {
    return readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1").includes("fanotify ");
  });
}

export function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Whether it is gone, or a zombie that its parent is to wait for. */
export function hasEnded(pid: number): boolean {
  return /^[ZX]/.test(statusOf(pid, "State") ?? "X");
}
