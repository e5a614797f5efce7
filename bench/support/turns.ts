// Interleaves measurements, so that other load on the machine affects all contestants alike.

/**
 * Runs each contestant once per round, after one warm-up round. The order rotates by one each round, so that each of
 * them is first, on an idle disk, equally often.
 *
 * @returns the figures of each contestant, by round
 */
export async function takeTurns<Name extends string>(
  rounds: number,
  contestants: Record<Name, (round: number) => Promise<number>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round++) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const figure = await contestants[name](round);
      if (round > 0) figures[name].push(figure);
    }
  }
  return figures;
}
