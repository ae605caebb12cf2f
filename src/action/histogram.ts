/** Durations counted in classes that grow by a fifth: percentiles without keeping each of them. */

/** The factor between two classes: what is told is at most so much off. */
const growth = 1.2;
/** From 0.01 ms to some 3 days. */
const classes = 128;
const firstMs = 0.01;

export class Histogram {
  readonly #counts = new Uint32Array(classes);
  #total = 0;

  add(milliseconds: number): void {
    const at = Math.ceil(Math.log(Math.max(milliseconds, firstMs) / firstMs) / Math.log(growth));
    this.#counts[Math.min(at, classes - 1)]!++;
    this.#total++;
  }

  get total(): number {
    return this.#total;
  }

  /** @param share 0.5 is the median. @returns milliseconds, null if there are none */
  percentile(share: number): number | null {
    if (this.#total === 0) return null;
    let left = Math.ceil(this.#total * share);
    for (let at = 0; at < classes; at++) {
      left -= this.#counts[at]!;
      if (left <= 0) return firstMs * growth ** at;
    }
    return firstMs * growth ** (classes - 1);
  }
}
