/** Which of a directory's patterns let a name through, and what was decided for such names. */
import type { NamePattern } from "./glob.ts";

/** Bits of a small integer: as many patterns are one step in the tree of verdicts. */
const patternsPerStep = 30;

/** Whoever chooses the names chooses how many sets of patterns pass: all are decided anew then. */
const verdictsMax = 4096;

type Tree<Verdict> = Map<number, Tree<Verdict> | Verdict>;

export class NameFilters<Verdict> {
  readonly #patterns: readonly NamePattern[];
  /** By the kind of record, then by the patterns that pass. */
  #tree: Tree<Verdict> = new Map();
  #verdicts = 0;

  /** @param patterns the same may come several times */
  constructor(patterns: readonly NamePattern[]) {
    this.#patterns = [...new Map(patterns.map((one) => [one.key, one])).values()];
  }

  /** @param decide is given the keys of the patterns that pass, and asked once for each set of them */
  verdict(
    kind: number,
    name: Uint8Array,
    decide: (passed: ReadonlySet<string>) => Verdict,
  ): Verdict {
    let tree = branch(this.#tree, kind);
    let at = 0;
    for (; this.#patterns.length - at > patternsPerStep; at += patternsPerStep)
      tree = branch(tree, this.#passedBy(name, at));
    const passed = this.#passedBy(name, at);
    const known = tree.get(passed) as Verdict | undefined;
    if (known !== undefined) return known;
    if (++this.#verdicts > verdictsMax) this.forget();
    const verdict = decide(this.#keysFor(name));
    tree.set(passed, verdict);
    return verdict;
  }

  forget(): void {
    this.#tree = new Map();
    this.#verdicts = 0;
  }

  /** Bit n: the pattern n places after `first` lets the name through. */
  #passedBy(name: Uint8Array, first: number): number {
    const end = Math.min(first + patternsPerStep, this.#patterns.length);
    let passed = 0;
    for (let at = first; at < end; at++)
      if (this.#patterns[at]!.matches(name)) passed |= 1 << (at - first);
    return passed;
  }

  #keysFor(name: Uint8Array): ReadonlySet<string> {
    const passing = this.#patterns.filter((pattern) => pattern.matches(name));
    return new Set(passing.map(({ key }) => key));
  }
}

function branch<Verdict>(tree: Tree<Verdict>, key: number): Tree<Verdict> {
  const known = tree.get(key) as Tree<Verdict> | undefined;
  if (known !== undefined) return known;
  const fresh: Tree<Verdict> = new Map();
  tree.set(key, fresh);
  return fresh;
}
