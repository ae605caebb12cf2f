/** Says how far the first walk has come, to somebody who sits at a terminal and waits for it. */

/** Most starts take less than this, and say nothing. */
const patienceMs = 1_000;

const intervalMs = 200;

/** A line that the next one takes the place of; null: there is none any more. */
export type ShowStatus = (text: string | null) => void;

export class Progress {
  readonly #count: () => number;
  readonly #show: ShowStatus;
  #timer: Timer | undefined;

  /** @param count of directories that are watched by now */
  constructor(count: () => number, show: ShowStatus) {
    this.#count = count;
    this.#show = show;
  }

  start(): void {
    const patientUntil = performance.now() + patienceMs;
    this.#timer = setInterval(() => {
      if (performance.now() >= patientUntil) this.#say();
    }, intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#show(null);
  }

  #say(): void {
    this.#show(`watching: ${this.#count().toLocaleString("en-US")} directories so far`);
  }
}
