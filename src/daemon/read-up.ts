/** Asks the reader to read what has happened by now, and hears when it has. */

/** @param seq of the last line until then; Infinity: nothing more will be read */
export type WhenRead = (seq: number) => void;

export class ReadUpDesk {
  readonly #ask: () => void;
  readonly #waiting: WhenRead[] = [];
  #isOver = false;

  /** @param ask the reader; it answers in the order in which it is asked */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** Everything is read that will be. */
  get isOver(): boolean {
    return this.#isOver;
  }

  readUp(then: WhenRead): void {
    if (this.#isOver) return then(Infinity);
    this.#waiting.push(then);
    this.#ask();
  }

  answered(seq: number): void {
    this.#waiting.shift()?.(seq);
  }

  /** The reader answers no more. */
  end(): void {
    this.#isOver = true;
    for (const then of this.#waiting.splice(0)) then(Infinity);
  }
}
