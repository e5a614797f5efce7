// Who is compared takes turns, so that what the machine does meanwhile meets all alike.

/**
 * Lets each contestant measure once a round, after one round that does not count. The order turns by one each round:
 * who comes first, on a disk that has rested, is another one each time.
 *
 * @returns the figures of each, in the order of the rounds /
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
