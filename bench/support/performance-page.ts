// The table of docs/performance.md, between two markers.

import { COLUMNS, toCells, type Result } from './claims.ts';

const BEGIN = '<!-- results -->';
const END = '<!-- /results -->';
const MARKED = new RegExp(`${BEGIN}[^]*${END}`);

export interface Measured {
  /** Names of the benches that were run; rows of others stay as they are. */
  names: readonly string[];
  results: readonly Result[];
  /** A sentence about the machine. */
  machine: string;
}

/**
 * Returns the page with its rows measured anew.
 * @param order names of all benches, in the order of their rows; what is of none of them goes
 * @throws Error when the page has no markers
 */
export function withResults(page: string, { names, results, machine }: Measured, order: readonly string[]): string {
  const [marked] = MARKED.exec(page) ?? [];
  if (marked === undefined) throw new Error(`The page has no place for its table, between ${BEGIN} and ${END}.`);
  const kept = marked.split('\n').filter((line) => line.startsWith('| ') && !names.includes(benchOf(line)));
  const rows = [...kept, ...results.map((result) => toRow(toCells(result)))];
  const sorted = order.flatMap((name) => rows.filter((row) => benchOf(row) === name));
  const table = [toRow(COLUMNS), toRow(COLUMNS.map(() => '---')), ...sorted];
  return page.replace(MARKED, () => [BEGIN, machine, '', ...table, END].join('\n'));
}

/** `upload` of `| upload: file of …`. */
function benchOf(row: string): string {
  return /^\| ([a-z0-9]+):/.exec(row)?.[1] ?? '';
}

function toRow(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
