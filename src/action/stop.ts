/** The end of a runner, step by step: let commands end, ask them to, kill them, give up. */
import type { Log } from "../log.ts";
import type { LetGo } from "./tickets.ts";

export interface StopOptions {
  /** How long waiting commands are still started and running ones may run. */
  readonly graceMs: number;
  /** How long after SIGTERM comes SIGKILL; as long again, and what still runs is left behind. */
  readonly killAfterMs: number;
}

/** Each of these was logged. */
export interface StopReport {
  /** Triggers whose command was never started, and that no journal has. */
  readonly abandoned: number;
  /** Commands whose group got SIGTERM. */
  readonly terminated: number;
  /** Those of them whose group got SIGKILL too. */
  readonly killed: number;
}

/** What the steps are done to. */
export interface Stoppable {
  /** @returns how many commands have not ended */
  running(): number;
  /** Forget what waits. */
  abandon(): LetGo;
  /** Send a signal to the group of every running command. @returns how many run */
  signal(signal: number): number;
}

const SIGKILL = 9;
const SIGTERM = 15;

/** One stop. Its one timer runs from the start until `finish`. */
export class Stop {
  readonly #target: Stoppable;
  readonly #options: StopOptions;
  readonly #log: Log;
  readonly #finished = Promise.withResolvers<StopReport>();
  readonly #report = { abandoned: 0, terminated: 0, killed: 0 };
  #step: "grace" | "terminated" | "killed" = "grace";
  #timer: Timer;

  constructor(target: Stoppable, options: StopOptions, log: Log) {
    this.#target = target;
    this.#options = options;
    this.#log = log;
    this.#timer = setTimeout(() => this.#terminate(), options.graceMs);
  }

  /** Resolves when everything has ended or was left behind. */
  get report(): Promise<StopReport> {
    return this.#finished.promise;
  }

  /** Whether waiting commands are still started. */
  get starts(): boolean {
    return this.#step === "grace";
  }

  /** Count triggers whose command is not started any more. */
  abandon({ lost, kept }: LetGo): void {
    this.#report.abandoned += lost;
    if (lost > 0) this.#say(lost, "waiting, abandoned");
    if (kept > 0) this.#log.info(`Stopping: ${counted(kept)} waiting, kept for the next start`);
  }

  /** Somebody cannot wait: the next step comes now. */
  hurry(): void {
    if (this.#step === "grace") this.#terminate();
    else if (this.#step === "terminated") this.#kill();
  }

  /** Everything has ended. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#finished.resolve(this.#report);
  }

  #terminate(): void {
    this.#step = "terminated";
    this.abandon(this.#target.abandon());
    this.#report.terminated = this.#signal(SIGTERM, "SIGTERM");
    this.#after(() => this.#kill());
  }

  #kill(): void {
    this.#step = "killed";
    this.#report.killed = this.#signal(SIGKILL, "SIGKILL");
    this.#after(() => this.#leave());
  }

  /** In the kernel for good, on a dead network filesystem perhaps: nobody can wait for that. */
  #leave(): void {
    this.#say(this.#target.running(), "outlived SIGKILL, left behind");
    this.finish();
  }

  #signal(signal: number, name: string): number {
    const count = this.#target.signal(signal);
    if (count > 0) this.#say(count, `still running, sent ${name}`);
    return count;
  }

  #after(step: () => void): void {
    clearTimeout(this.#timer);
    if (this.#target.running() === 0) this.finish();
    else this.#timer = setTimeout(step, this.#options.killAfterMs);
  }

  #say(count: number, what: string): void {
    this.#log.warn(`Stopping: ${counted(count)} ${what}`);
  }
}

function counted(commands: number): string {
  return `${commands} ${commands === 1 ? "command" : "commands"}`;
}
