/** A question to a thread that may be waiting for a disk that never answers: we do not wait with it. */

/** Threads answer between two steps of what they do. */
const deadlineMs = 500;

export class Question {
  readonly #ask: () => void;
  /** Who waits; the question is on its way as long as there is an answer to come. */
  #asked: PromiseWithResolvers<void> | null = null;

  /** @param ask send the question */
  constructor(ask: () => void) {
    this.#ask = ask;
  }

  /** The answer is there. */
  answered(): void {
    this.#asked?.resolve();
    this.#asked = null;
  }

  /** There will be no answer any more, which is one. */
  end(): void {
    this.#asked?.resolve();
  }

  /** Asked, but not again without an answer. @returns false if there is none within half a second */
  isAnswered(): Promise<boolean> {
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
