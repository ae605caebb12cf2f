/** What the kernel's limits keep from being watched: said once for each limit, with all of it counted. */
import { type Log, quoted } from "../log.ts";
import type { BackendName } from "../rule/rule.ts";
import type { Refusal } from "../watch/joint-backend.ts";
import { limitText, whoseLimit } from "../watch/limits.ts";

interface Shortage extends Refusal {
  count: number;
  /** `count` when it was said. */
  said: number;
}

export class Shortages {
  #byLimit = new Map<string, Shortage>();
  #isNew = false;

  note(refusal: Refusal): void {
    const { error, servedBy } = refusal;
    const key = `${error.code} ${error.syscall} ${servedBy}`;
    const known = this.#byLimit.get(key);
    if (known === undefined) this.#byLimit.set(key, { ...refusal, count: 1, said: 0 });
    else known.count++;
    this.#isNew = true;
  }

  /** Of a new plan nothing is known yet. */
  clear(): void {
    this.#byLimit = new Map();
  }

  /**
   * What has not been said, or has doubled since: a tree that grows at its limit is not said with every
   * directory.
   *
   * @param watched how many are watched by a backend, to know how many are needed
   * @param unwatched how many are not watched now: what was refused before may be gone, or found again
   */
  say(log: Log, watched: (backend: BackendName) => number, unwatched: number): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    for (const shortage of this.#byLimit.values()) {
      if (shortage.servedBy === null) shortage.count = Math.min(shortage.count, unwatched);
      if (shortage.count < Math.max(shortage.said * 2, 1)) continue;
      shortage.said = shortage.count;
      log.warn(shortageText(shortage, watched(whoseLimit(shortage.error))));
    }
  }
}

/**
 * `Cannot watch "/srv/in" and 12 others: fs.inotify.max_user_watches is reached (8192)`, and the cure.
 *
 * @param watched how many there are already
 */
export function shortageText(
  { path, count, error, servedBy }: Refusal & { readonly count: number },
  watched: number,
): string {
  const others = count === 1 ? "" : ` and ${count - 1} ${count === 2 ? "other" : "others"}`;
  const what = servedBy === null ? "Cannot watch" : `Using ${servedBy} for`;
  const why = limitText(error, whoseLimit(error), watched + count);
  return `${what} ${quoted(path)}${others}: ${why}`;
}
