/** Which rules of a place hear of a record: those whose filters let it through. */

/** "muted": it is remembered, and the rule is not met by it. */
export type Answer = "heard" | "muted" | "left out";

interface Audience<Self> {
  heardBy(answers: ReadonlyMap<number, Answer>): Self;
}

/** Digits that a number holds exactly. */
const digitsMax = 26;

/** Whoever chooses the names chooses how many sets of rules hear of one: all are made anew then. */
const audiencesMax = 4096;

const digits: Readonly<Record<Answer, number>> = { heard: 0, muted: 1, "left out": 2 };

export class Hearings<Place extends Audience<Place>> {
  /** With filters; each once. */
  readonly rules: readonly number[];
  readonly #all: Place;
  readonly #byAnswers = new Map<number | string, Place>();

  /** @param all what every rule wants */
  constructor(rules: readonly number[], all: Place) {
    this.rules = rules;
    this.#all = all;
  }

  /** @param ask gives the answer of one of the `rules` */
  of(ask: (rule: number) => Answer): Place {
    let key: number | string = 0;
    let isHeardByAll = true;
    for (let i = 0; i < this.rules.length; i++) {
      const digit = digits[ask(this.rules[i]!)];
      if (digit !== 0) isHeardByAll = false;
      key = i < digitsMax ? (key as number) * 4 + digit : `${key}${digit}`;
    }
    if (isHeardByAll) return this.#all;
    const known = this.#byAnswers.get(key);
    if (known !== undefined) return known;
    if (this.#byAnswers.size >= audiencesMax) this.#byAnswers.clear();
    const place = this.#all.heardBy(new Map(this.rules.map((rule) => [rule, ask(rule)])));
    this.#byAnswers.set(key, place);
    return place;
  }
}
