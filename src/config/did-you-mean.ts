/** The word that was probably meant. */

/**
 * The candidate nearest to `word`, or null if none is near enough to be a slip of the keyboard.
 *
 * Case does not count. One slip in four characters is forgiven, at most three in all: with more, a
 * short name would be near to anything. Of equally near candidates the first wins.
 */
export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  const typed = word.toLowerCase();
  let best: string | null = null;
  let slipsLeft = Math.min(3, Math.max(1, Math.floor(typed.length / 4)));
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - typed.length) > slipsLeft) continue;
    const slips = distance(typed, candidate.toLowerCase());
    if (slips > slipsLeft) continue;
    best = candidate;
    slipsLeft = slips - 1;
  }
  return best;
}

/**
 * Damerau-Levenshtein distance: insertions, deletions, substitutions and swaps of neighbours.
 *
 * (The variant that does not edit a swapped pair again, "optimal string alignment".)
 */
function distance(a: string, b: string): number {
  let twoBack: number[] = [];
  let oneBack = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(oneBack[column]! + 1, current[column - 1]! + 1);
      cost = Math.min(cost, oneBack[column - 1]! + same);
      if (isSwap(a, b, row, column)) cost = Math.min(cost, twoBack[column - 2]! + 1);
      current.push(cost);
    }
    [twoBack, oneBack] = [oneBack, current];
  }
  return oneBack[b.length]!;
}

function isSwap(a: string, b: string, row: number, column: number): boolean {
  if (row < 2 || column < 2) return false;
  return a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
}
