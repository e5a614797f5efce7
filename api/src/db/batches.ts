/** Ids in one statement: SQLite takes no more than 32,766 parameters. */
const MAX_IDS = 10_000;

/** Cuts a list into pieces that fit into a statement, or of another size. */
export function batches<T>(items: readonly T[], size = MAX_IDS): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_unused, n) => items.slice(n * size, (n + 1) * size));
}
