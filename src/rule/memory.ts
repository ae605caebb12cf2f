/** What has happened to a path, for rules that need several events of it. */
import type { Alternative } from "./rule.ts";

/** What decides by more than the record at hand. */
export interface Remembering {
  /** @returns whether the rule is met now */
  add(path: string, groups: number): boolean;
  forget(path: string): void;
}

/** Pass all of them and nothing is lost: paths remembered by one alternative, oldest forgotten first. */
export const rememberedPathsMax = 65_536;

/** What has happened so far to each path, for one alternative of one rule. */
export class Memory implements Remembering {
  readonly #groupsByPath = new Map<string, number>();
  readonly #complete: number;
  readonly alternative: Alternative;
  /** Paths dropped because `rememberedPathsMax` was passed. */
  dropped = 0;

  constructor(alternative: Alternative) {
    this.alternative = alternative;
    this.#complete = (1 << alternative.groups.length) - 1;
  }

  get size(): number {
    return this.#groupsByPath.size;
  }

  /** Add groups to a path. @returns true if all have happened; then the path starts anew */
  add(path: string, groups: number): boolean {
    const now = (this.#groupsByPath.get(path) ?? 0) | groups;
    this.#groupsByPath.delete(path); // to the end: the order is the age
    if (now === this.#complete) return true;
    this.#groupsByPath.set(path, now);
    if (this.#groupsByPath.size > rememberedPathsMax) this.#dropOldest();
    return false;
  }

  forget(path: string): void {
    this.#groupsByPath.delete(path);
  }

  #dropOldest(): void {
    for (const oldest of this.#groupsByPath.keys()) {
      this.#groupsByPath.delete(oldest);
      this.dropped++;
      return;
    }
  }
}
