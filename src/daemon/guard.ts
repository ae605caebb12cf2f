/** The guard, seen from the main thread: started, looked after, and started again when it ends. */
import { SyscallError } from "../../ffi/errno.ts";
import { type Ending, endingText } from "../action/ending.ts";
import type { CommandFamilies } from "../action/family-watch.ts";
import { type Pulse, waitBoundMs } from "../gate/pulse.ts";
import type { Log } from "../log.ts";
import { GuardProcess, type GuardStart } from "./guard-start.ts";

export interface GuardOptions extends GuardStart {
  readonly pulse: Pulse;
  readonly log: Log;
  /**
   * Told before each start: until its pid is known the guard is let through as what descends from us, and
   * its program may be behind a gate.
   */
  readonly families?: CommandFamilies;
  /** Each time it is started: it is a child of ours, and no command. */
  readonly onStarted?: (pid: number) => void;
}

/** From one look at the guard to the next: what has not moved since is stopped, or hangs. */
const lookMs = 5_000;

const firstBackoffMs = 1_000;
const longestBackoffMs = 60_000;

export class Guard {
  readonly #options: GuardOptions;
  #process: GuardProcess | null = null;
  /** Why it is killed, if we do it. */
  #fault: string | null = null;
  #onStopped: (() => void) | null = null;
  #backoffMs = firstBackoffMs;
  #again: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  /** It has the group. */
  #watches = false;
  /** What it was at the last look; null: it did not watch by then. */
  #beat: number | null = null;
  #passedOver: number;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#passedOver = options.pulse.passedOver;
  }

  /**
   * To be called before the first mark, so that nobody ever waits without a guard.
   *
   * Resolves once it watches over the group, or cannot: that is logged, and tried again later.
   */
  async start(): Promise<void> {
    this.#look = setInterval(() => this.#lookAfter(), lookMs);
    await this.#startProcess();
  }

  /**
   * End it. Before the group is closed: it may be the last that has it, and answers nobody from now on.
   */
  async stop(): Promise<void> {
    clearTimeout(this.#again);
    clearInterval(this.#look);
    if (this.#process === null) return;
    const stopped = new Promise<void>((resolve) => (this.#onStopped = resolve));
    this.#process.kill();
    await stopped;
  }

  async #startProcess(): Promise<void> {
    const { pulse, families } = this.#options;
    this.#fault = null;
    families?.begin();
    try {
      const started = new GuardProcess(this.#options, (ending) => this.#ended(ending));
      this.#process = started;
      pulse.guardPid = started.pid;
      this.#options.onStarted?.(started.pid);
      this.#watches = await started.give(this.#options);
      if (!this.#watches) this.#kill("it did not get ready");
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (this.#process === null) this.#startAgain(`it cannot be started: ${error.message}`);
      else this.#kill(error.message);
    } finally {
      families?.end();
    }
  }

  #kill(why: string): void {
    this.#fault ??= why;
    this.#process?.kill();
  }

  #ended(ending: Ending): void {
    this.#process = null;
    this.#watches = false;
    this.#beat = null;
    this.#options.pulse.guardPid = 0;
    if (this.#onStopped !== null) this.#onStopped();
    else this.#startAgain(this.#fault ?? `it ${endingText(ending)}`);
  }

  #startAgain(why: string): void {
    this.#options.log.warn(
      `Gates are without a guard: ${why}; until it runs again, in ${this.#backoffMs / 1_000} s, whoever opens what a gate watches waits for as long as facron is stopped or hangs`,
    );
    this.#again = setTimeout(() => void this.#startProcess(), this.#backoffMs);
    this.#backoffMs = Math.min(this.#backoffMs * 2, longestBackoffMs);
  }

  #lookAfter(): void {
    this.#sayPassedOver();
    if (!this.#watches) return;
    const before = this.#beat;
    this.#beat = this.#options.pulse.beat;
    if (before === this.#beat)
      this.#kill(
        `it has not moved for ${lookMs / 1_000} s (stopped, or a filesystem does not answer)`,
      );
    else if (before !== null) this.#backoffMs = firstBackoffMs;
  }

  #sayPassedOver(): void {
    const { pulse, log } = this.#options;
    const count = pulse.passedOver - this.#passedOver;
    if (count === 0) return;
    this.#passedOver = pulse.passedOver;
    log.warn(
      `Gates let through ${count.toLocaleString("en-US")} ${count === 1 ? "access" : "accesses"} without a verdict: facron did not answer within ${waitBoundMs / 1_000} s (it was stopped, or a filesystem does not answer)`,
    );
  }
}
