/** Says that a filesystem does not answer, which blocks the reader: a server on a hard mount may be away for hours. */
import { type Log, quoted } from "../log.ts";
import type { Lookout } from "../reader/lookout.ts";

/** A look at the reader: what takes from one to the next has taken as long as this. */
const defaultCheckMs = 5_000;

export class HangWatch {
  readonly #lookout: Pick<Lookout, "step" | "path">;
  readonly #log: Pick<Log, "info" | "warn">;
  readonly #checkMs: number;
  #timer: Timer | undefined;
  #stepBefore = 0;
  /** What the log calls the filesystem; null: it answers. */
  #hanging: string | null = null;

  constructor(
    lookout: Pick<Lookout, "step" | "path">,
    log: Pick<Log, "info" | "warn">,
    checkMs = defaultCheckMs,
  ) {
    this.#lookout = lookout;
    this.#log = log;
    this.#checkMs = checkMs;
  }

  /** Null: all is well, as far as is known. */
  get hanging(): string | null {
    return this.#hanging;
  }

  /** From now on the reader asks filesystems. */
  start(): void {
    this.#timer ??= setInterval(() => this.#check(), this.#checkMs);
    this.#timer.unref();
  }

  /** It waits for the kernel only. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const { step } = this.#lookout;
    const isSame = step === this.#stepBefore;
    this.#stepBefore = step;
    if (isSame && step % 2 !== 0) this.#sayHanging();
    else if (!isSame) this.#sayAnswers();
  }

  #sayHanging(): void {
    if (this.#hanging !== null) return;
    this.#hanging = `the filesystem of ${quoted(this.#lookout.path)}`;
    this.#log.warn(
      `Waiting for ${this.#hanging}, which has not answered for ${this.#checkMs / 1000}s: ` +
        "nothing is told until it does",
    );
  }

  #sayAnswers(): void {
    if (this.#hanging === null) return;
    this.#log.info(`Answered: ${this.#hanging}`);
    this.#hanging = null;
  }
}
