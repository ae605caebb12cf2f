/** Durations counted in classes that grow by a fifth: percentiles without keeping each of them. */

/** The factor between the bounds of a class. */
const growth = 1.2;
/** From 0.01 ms, which is also what less counts as, to more than a year: some runs wait for a server. */
const classes = 160;
const firstMs = 0.01;

export class Histogram {
  /** Of the classes from `#first` on, as far as there are any: there are rules by the thousand. */
  readonly #counts: number[] = [];
  #first = 0;
  #total = 0;

  /** @param milliseconds below 0 if the clock was set back */
  add(milliseconds: number): void {
    const at = Math.ceil(Math.log(Math.max(milliseconds, firstMs) / firstMs) / Math.log(growth));
    this.#counts[this.#placeOf(Math.min(at, classes - 1))]!++;
    this.#total++;
  }

  /** Makes room for it. @param at of all classes */
  #placeOf(at: number): number {
    if (this.#total === 0) this.#first = at;
    for (; this.#first > at; this.#first--) this.#counts.unshift(0);
    while (this.#counts.length <= at - this.#first) this.#counts.push(0);
    return at - this.#first;
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
    let place = -1;
    while (left > 0) left -= this.#counts[++place]!;
    const at = this.#first + place;
    return at === 0 ? firstMs : firstMs * growth ** (at - 0.5); // the middle of the class
  }
}
