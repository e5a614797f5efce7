import { escapeValue } from './terminal.ts';

/** Aligns rows in columns as wide as their longest cell; the last column is not padded. */
export function formatTable(values: readonly (readonly string[])[]): string {
  const rows = values.map((row) => row.map(escapeValue));
  const widths = (rows[0] ?? []).map((_cell, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
