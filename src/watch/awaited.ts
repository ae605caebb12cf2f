/** What a record is to tell soon: when all is read that was queued by then, it will not come any more. */
import type { Backend } from "./backend.ts";

/** How long the second half of a rename may be on its way; it is queued by the same system call. */
export const renameWaitMs = 20;

interface Waiting<What> {
  readonly what: What;
  /** performance.now() */
  readonly since: number;
  /** `Backend.end` when the time was over; null until then. */
  until: number | null;
}

/**
 * A moment in which no record is queued tells it as well. But where something happens all the time there
 * is none, and what has left would be kept for ever.
 */
export class Awaited<What> {
  readonly #backend: Pick<Backend, "end" | "position">;
  readonly #isAwaited: (what: What) => boolean;
  /** The oldest first. */
  #waiting: Waiting<What>[] = [];

  /** @param isAwaited false as soon as it was told */
  constructor(backend: Pick<Backend, "end" | "position">, isAwaited: (what: What) => boolean) {
    this.#backend = backend;
    this.#isAwaited = isAwaited;
  }

  get isEmpty(): boolean {
    return !this.#waiting.some(({ what }) => this.#isAwaited(what));
  }

  add(what: What): void {
    this.#waiting.push({ what, since: performance.now(), until: null });
  }

  /** All that are awaited. */
  all(): What[] {
    return this.#waiting.map(({ what }) => what).filter(this.#isAwaited);
  }

  /** Those that no record will tell any more; they stay until they are not awaited. */
  overdue(): What[] {
    if (this.#waiting.length === 0) return [];
    this.#waiting = this.#waiting.filter(({ what }) => this.#isAwaited(what));
    const { position } = this.#backend;
    const overdue: What[] = [];
    for (const one of this.#waiting) {
      if (one.until === null && performance.now() - one.since < renameWaitMs) break;
      one.until ??= this.#backend.end;
      if (one.until > position) break;
      overdue.push(one.what);
    }
    return overdue;
  }
}
