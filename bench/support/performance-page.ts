// Writes results into the table of docs/performance.md, between two markers.

import { COLUMNS, toCells, type Result } from './claims.ts';

const BEGIN = '<!-- results -->';
const END = '<!-- /results -->';
const MARKED = new RegExp(`${BEGIN}[^]*${END}`);

export interface Measurements {
  /** Names of the benchmarks that were run; rows of others are kept. */
  names: readonly string[];
  results: readonly Result[];
  /** A sentence about the machine. */
  machine: string;
}

/**
 * Returns the page with the rows of the given benchmarks replaced.
 * @param order names of all benchmarks, in the order of their rows; rows of any other benchmark are removed
 * @throws Error if the page has no markers
 */
export function withResults(
  page: string,
  { names, results, machine }: Measurements,
  order: readonly string[],
): string {
  const [marked] = MARKED.exec(page) ?? [];
  if (marked === undefined) throw new Error(`The page has no table between ${BEGIN} and ${END}.`);
  const kept = marked.split('\n').filter((line) => line.startsWith('| ') && !names.includes(benchOf(line)));
  const rows = [...kept, ...results.map((result) => toRow(toCells(result)))];
  const sorted = order.flatMap((name) => rows.filter((row) => benchOf(row) === name));
  const table = [toRow(COLUMNS), toRow(COLUMNS.map(() => '---')), ...sorted];
  return page.replace(MARKED, () => [BEGIN, machine, '', ...table, END].join('\n'));
}

/** Returns the benchmark of a row: `upload` for `| upload: file of …`. */
function benchOf(row: string): string {
  return /^\| ([a-z0-9-]+):/.exec(row)?.[1] ?? '';
}

function toRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
