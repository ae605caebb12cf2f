/** Rules that are met once, and then no more. */
import type { Memory, Remembering } from "./memory.ts";

/** Shared by a rule's alternatives, and handed on over reloads. */
export interface Spending {
  isSpent: boolean;
}

/** One alternative of such a rule. */
export class Once implements Remembering {
  readonly #spending: Spending;
  readonly #memory: Memory | null;
  readonly #onSpent: () => void;

  /** @param memory of the alternative, if it needs more than one record */
  constructor(spending: Spending, memory: Memory | null, onSpent: () => void) {
    this.#spending = spending;
    this.#memory = memory;
    this.#onSpent = onSpent;
  }

  add(path: string, groups: number): boolean {
    if (this.#spending.isSpent) return false;
    if (this.#memory !== null && !this.#memory.add(path, groups)) return false;
    this.#spending.isSpent = true;
    this.#onSpent();
    return true;
  }

  forget(path: string): void {
    this.#memory?.forget(path);
  }
}
