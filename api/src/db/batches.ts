/** Below SQLite's limit of 32,766 parameters per statement. */
const MAX_PARAMETERS = 10_000;

/** Splits a list into batches that fit into one statement, or of the given size. */
export function batches<T>(items: readonly T[], size = MAX_PARAMETERS): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_unused, n) => items.slice(n * size, (n + 1) * size));
}
