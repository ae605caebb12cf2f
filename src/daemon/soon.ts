/** A question to a thread that may not answer: sent once, and waited for by all who want to know, but not for long. */

/** A thread that is well answers between two reads. */
const deadlineMs = 500;

export class Soon {
  readonly #ask: () => void;
  /** Who waits; the question is on its way as long as there is an answer to come. */
  #asked: PromiseWithResolvers<void> | null = null;

  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** The answer has come, or never will. */
  arrived(): void {
    this.#asked?.resolve();
    this.#asked = null;
  }

  /** Takes half a second at most. @returns whether there is an answer: a question without one is not asked again */
  wait(): Promise<boolean> {
    if (this.#asked === null) {
      this.#asked = Promise.withResolvers();
      this.#ask();
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), deadlineMs);
    void this.#asked.promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
    return promise;
  }
}
