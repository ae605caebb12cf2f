/** Order: of the jobs of one key only the first may run, the others wait behind it. */
import type { Job } from "./job.ts";

const noJobs: readonly Job[] = [];

export class Lanes {
  readonly #jobs = new Map<string, Job[]>();

  /** How many keys have jobs. */
  get size(): number {
    return this.#jobs.size;
  }

  /** The job that holds the key. */
  first(key: string): Job | null {
    return this.#jobs.get(key)?.[0] ?? null;
  }

  last(key: string): Job | null {
    return this.#jobs.get(key)?.at(-1) ?? null;
  }

  /** @returns whether nothing is before it */
  enter(job: Job): boolean {
    for (const key of job.keys) {
      const lane = this.#jobs.get(key);
      if (lane === undefined) {
        this.#jobs.set(key, [job]);
      } else {
        lane.push(job);
        job.behind++;
      }
    }
    return job.behind === 0;
  }

  /** It is done with, or will not run. @returns the jobs that nothing is before any more */
  leave(job: Job): readonly Job[] {
    let free = noJobs;
    for (const key of job.keys) {
      const lane = this.#jobs.get(key)!;
      const at = lane.indexOf(job);
      if (lane.length === 1) {
        this.#jobs.delete(key);
        continue;
      }
      lane.splice(at, 1);
      if (at > 0) continue;
      const next = lane[0]!;
      next.behind--;
      if (next.behind === 0) free = [...free, next];
    }
    job.behind = 0;
    return free;
  }

  clear(): void {
    this.#jobs.clear();
  }
}
