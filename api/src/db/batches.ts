/** Below the 32,766 parameters per statement that SQLite allows (https://sqlite.org/limits.html). */
const MAX_PARAMETERS = 10_000;

/** Splits a list into batches that fit into one statement, or of the given size. */
export function batches<T>(items: readonly T[], size = MAX_PARAMETERS): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_unused, n) => items.slice(n * size, (n + 1) * size));
}

/** Splits rows to insert into batches that fit into one statement. All rows have the columns of the first. */
export function rowBatches<Row extends object>(rows: readonly Row[]): Row[][] {
  const columns = Math.max(1, Object.keys(rows[0] ?? {}).length);
  return batches(rows, Math.floor(MAX_PARAMETERS / columns));
}
