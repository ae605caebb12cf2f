/** Answers of commands that still hold: for the same file, unchanged, and the same program. */
import type { Verdict } from "../rule/gate.ts";

interface Answer {
  readonly verdict: Verdict;
  /** performance.now() */
  readonly until: number;
}

/** Beyond that the oldest go: some 4 MiB. */
const answersMax = 20_000;

export class Answers {
  readonly #byKey = new Map<string, Answer>();

  /** @param now performance.now() */
  get(key: string, now: number): Verdict | null {
    const answer = this.#byKey.get(key);
    if (answer === undefined) return null;
    if (answer.until > now) return answer.verdict;
    this.#byKey.delete(key);
    return null;
  }

  /** @param until performance.now() */
  set(key: string, verdict: Verdict, until: number): void {
    this.#byKey.delete(key);
    this.#byKey.set(key, { verdict, until });
    if (this.#byKey.size > answersMax) this.#byKey.delete(this.#byKey.keys().next().value!);
  }

  clear(): void {
    this.#byKey.clear();
  }
}
