/** Where the reader is asking a filesystem that may never answer: it writes, the main thread reads. */

/** Behind `sharedCounters`, in the same memory: two words, and then the bytes of the path. */
export const stepWord = 7;
const pathBytesWord = 8;
const pathStart = (pathBytesWord + 1) * Int32Array.BYTES_PER_ELEMENT;
const pathBytesMax = 4096;

/** Bytes of `ReaderStart.shared`. */
export const sharedBytes = pathStart + pathBytesMax;

export class Lookout {
  readonly #words: Int32Array;
  readonly #path: Uint8Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
    this.#path = new Uint8Array(shared, pathStart, pathBytesMax);
  }

  /** By the reader: what follows may take for ever. */
  during<Answer>(ask: () => Answer): Answer {
    Atomics.add(this.#words, stepWord, 1);
    try {
      return ask();
    } finally {
      Atomics.add(this.#words, stepWord, 1);
    }
  }

  /** By the reader: it is about this path, until it is about another. */
  at(path: Uint8Array): void {
    const bytes = path.subarray(0, pathBytesMax);
    this.#path.set(bytes);
    Atomics.store(this.#words, pathBytesWord, bytes.length);
  }

  /** By the main thread: odd while the reader asks, another number after each answer. */
  get step(): number {
    return Atomics.load(this.#words, stepWord);
  }

  get path(): Uint8Array {
    return this.#path.slice(0, Atomics.load(this.#words, pathBytesWord));
  }
}
