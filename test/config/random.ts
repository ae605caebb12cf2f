/** Numbers that come again for the same seed: FACRON_FUZZ_SEED=n repeats a run. */

export type Random = (below: number) => number;

export function seedOf(what: string): number {
  const seed = Number(process.env["FACRON_FUZZ_SEED"] ?? Date.now() % 0x1_0000_0000);
  console.log(`${what}: FACRON_FUZZ_SEED=${seed}`);
  return seed;
}

/** From 0 to below `below` (mulberry32). */
export function randomNumbers(start: number): Random {
  let state = start >>> 0;
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
