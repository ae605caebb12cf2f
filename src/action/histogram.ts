/** Durations counted in classes that grow by a fifth: percentiles without keeping each of them. */

/** The factor between the bounds of a class. */
const growth = 1.2;
/** From 0.01 ms, which is also what less counts as, to more than a year: some runs wait for a server. */
const classes = 160;
const firstMs = 0.01;

export class Histogram {
  readonly #counts = new Uint32Array(classes);
  #total = 0;

  /** @param milliseconds below 0 if the clock was set back */
  add(milliseconds: number): void {
    const at = Math.ceil(Math.log(Math.max(milliseconds, firstMs) / firstMs) / Math.log(growth));
    this.#counts[Math.min(at, classes - 1)]!++;
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  /**
   * The smallest duration that so many of all do not exceed, at most a tenth too much or too little.
   *
   * @param share 0.5 is the median
   * @returns milliseconds, null if there are none
   */
  percentile(share: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.max(Math.ceil(this.#total * share), 1);
    let at = -1;
    while (left > 0) left -= this.#counts[++at]!;
    return at === 0 ? firstMs : firstMs * growth ** (at - 0.5); // the middle of the class
  }
}
