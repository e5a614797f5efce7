// Reproducible random numbers: a failing test prints its seed.

/** Makes a source of numbers from 0 to 1 by xorshift32 (Marsaglia 2003). */
export function createRandom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Takes the seed from BERTH_TEST_SEED, else from the clock. */
export function chooseSeed(): number {
  return Number(process.env.BERTH_TEST_SEED ?? Date.now() % 2 ** 31);
}
