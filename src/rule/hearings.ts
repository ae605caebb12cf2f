/** Which rules of a place hear of a record: those whose filters let it through. */

/**
 * "muted": it is remembered, and the rule is not met by it, as the file is not as it has to be. "denied":
 * it is not for whoever did it, and only ends what the rule remembers of the path.
 */
export type Answer = "heard" | "muted" | "denied" | "left out";

interface Audience<Self> {
  heardBy(answers: ReadonlyMap<number, Answer>): Self;
}

/** Digits that a number holds exactly. */
const digitsMax = 26;

/** Whoever chooses the names chooses how many sets of rules hear of one: all are made anew then. */
const audiencesMax = 4096;

const digits: Readonly<Record<Answer, number>> = { heard: 0, muted: 1, denied: 2, "left out": 3 };

export class Hearings<Place extends Audience<Place>> {
  /** With filters; each once. */
  readonly rules: readonly number[];
  readonly #all: Place;
  /** What was answered last, in the order of the rules. */
  readonly #answers: Answer[];
  readonly #byAnswers = new Map<number | string, Place>();

  /** @param all what every rule wants */
  constructor(rules: readonly number[], all: Place) {
    this.rules = rules;
    this.#answers = rules.map(() => "heard");
    this.#all = all;
  }

  /** @param ask gives the answer of one of the `rules` */
  of(ask: (rule: number) => Answer): Place {
    let key: number | string = 0;
    let isHeardByAll = true;
    for (let i = 0; i < this.rules.length; i++) {
      const answer = ask(this.rules[i]!);
      this.#answers[i] = answer;
      const digit = digits[answer];
      if (digit !== 0) isHeardByAll = false;
      key = i < digitsMax ? (key as number) * 4 + digit : `${key}${digit}`;
    }
    if (isHeardByAll) return this.#all;
    const known = this.#byAnswers.get(key);
    if (known !== undefined) return known;
    if (this.#byAnswers.size >= audiencesMax) this.#byAnswers.clear();
    const place = this.#all.heardBy(
      new Map(this.rules.map((rule, i) => [rule, this.#answers[i]!])),
    );
    this.#byAnswers.set(key, place);
    return place;
  }
}
