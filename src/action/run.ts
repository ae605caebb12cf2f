/** A command that has been started, until nothing of it is left: its end, its timeout, its group. */
import type { Log } from "../log.ts";
import type { Policy } from "../rule/policy.ts";
import type { Ending } from "./ending.ts";
import type { StopReason } from "./failure.ts";
import type { PastRun } from "./run-history.ts";
import type { Started } from "./started.ts";

export type RunLimits = Pick<Policy, "timeoutMs" | "stopSignal" | "killAfterMs">;

export interface RunOptions {
  /** `rule "import"` */
  readonly title: string;
  readonly limits: RunLimits;
  /** Quoted. */
  readonly program: string;
  readonly log: Log;
  /** It is over: called once. */
  readonly onOver: (run: Run, ending: Ending) => void;
}

const SIGKILL = 9;

/** How often it is looked whether anything is left of a command that was told to end. */
const lookEveryMs = 50;
/** One look of so many takes zombies for what they are. */
const looksPerCloseLook = 10;

export class Run {
  /** What the loop guard knows it by; null where loops are not looked for. */
  past: PastRun | null = null;
  readonly #options: RunOptions;
  /** performance.now() */
  readonly startedAt = performance.now();
  #process: Started | null = null;
  #stopReason: StopReason | null = null;
  #timer: Timer | undefined;
  #lookTimer: Timer | undefined;
  #killAt = 0;
  #looks = 0;
  #ending: Ending | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  /** `rule "import"` */
  get title(): string {
    return this.#options.title;
  }

  /** Quoted. */
  get program(): string {
    return this.#options.program;
  }

  /** 0: it could not be started. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Nothing of its group is left. */
  get isGone(): boolean {
    return this.#process?.isGone() ?? true;
  }

  /** Why it was told to end; null: it was not. */
  get stopReason(): StopReason | null {
    return this.#stopReason;
  }

  /** It runs from now on. */
  begin(process: Started): void {
    this.#process = process;
    const { timeoutMs } = this.#options.limits;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#timeOut(), timeoutMs);
  }

  /** The process that was started has ended; others of its group may be left. */
  ended(ending: Ending): void {
    this.#ending = ending;
    this.#finishIfGone();
  }

  signal(signal: number): void {
    this.#process?.signal(signal);
  }

  /** `stop_signal` now, SIGKILL after `kill_after`, until nothing of it is left. */
  stop(reason: StopReason): void {
    if (this.#stopReason !== null || this.#process === null) return;
    this.#stopReason = reason;
    clearTimeout(this.#timer);
    const { stopSignal, killAfterMs } = this.#options.limits;
    this.signal(stopSignal);
    this.#killAt = performance.now() + killAfterMs;
    this.#lookTimer = setInterval(() => this.#look(), lookEveryMs);
  }

  #timeOut(): void {
    const { title, limits, program, log } = this.#options;
    const seconds = limits.timeoutMs / 1000;
    log.warn(
      `${title}: ${program} runs longer than its timeout of ${seconds} s: told to end (pid ${this.pid})`,
    );
    this.stop("timeout");
  }

  #look(): void {
    const isClose = ++this.#looks % looksPerCloseLook === 0;
    if (this.#finishIfGone({ isClose }) || performance.now() < this.#killAt) return;
    // Again and again: what is being forked while the signal is sent may miss it.
    this.signal(SIGKILL);
  }

  /** Who was told to end is over when all of its group is; others when their first process is. */
  #finishIfGone({ isClose } = { isClose: false }): boolean {
    const ending = this.#ending;
    if (ending === null || (this.#stopReason !== null && !this.#isOver(isClose))) return false;
    clearTimeout(this.#timer);
    clearInterval(this.#lookTimer);
    this.#process?.release();
    this.#options.onOver(this, ending);
    return true;
  }

  #isOver(isClose: boolean): boolean {
    return isClose ? this.#process!.isDead() : this.#process!.isGone();
  }
}
