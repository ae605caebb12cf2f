/** What may be told a thousand times, told now and then. */

/** One line of a kind in this time. */
export const silenceMs = 60_000;

interface Silence {
  readonly until: number;
  /** How often it was not told. */
  untold: number;
}

export class Silences {
  readonly #now: () => number;
  readonly #byKind = new Map<string, Silence>();

  /** @param now milliseconds, of any clock that never goes back */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** @param say with how often it went untold since it was last said; not called if that was a moment ago */
  tell(kind: string, say: (untold: number) => void): void {
    const now = this.#now();
    const silence = this.#byKind.get(kind);
    if (silence !== undefined && now < silence.until) {
      silence.untold++;
      return;
    }
    this.#byKind.set(kind, { until: now + silenceMs, untold: 0 });
    say(silence?.untold ?? 0);
  }
}
