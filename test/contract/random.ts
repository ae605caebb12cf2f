/** Chance that can be had again: the seed is printed, and FACRON_TEST_SEED replays it. */

export interface Random {
  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number;
  /** True so often. @param share from 0 to 1 */
  chance(share: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** @param seed without it, FACRON_TEST_SEED or a new one, which is printed */
export function seededRandom(seed = newSeed()): Random {
  let state = seed >>> 0;
  // mulberry32: 32 bits of state, good enough to be surprising
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    chance: (share) => next() < share,
    pick: (from) => from[below(from.length)]!,
  };
}

export function newSeed(): number {
  const given = process.env["FACRON_TEST_SEED"];
  const seed = given === undefined ? Math.floor(Math.random() * 0x1_0000_0000) : Number(given);
  console.error(`seed: FACRON_TEST_SEED=${seed} does this again`);
  return seed;
}

export function randomBytes(random: Random, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => random.below(256));
}
