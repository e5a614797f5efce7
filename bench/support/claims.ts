// Claims of a benchmark: compares their figures with the required values and formats result rows.

import { median } from './statistics.ts';

export type Unit = 'points' | 'MB/s' | 'requests/s' | 'blobs/s' | 's' | 'ms' | 'MiB' | '%' | 'requests' | 'broken';
export type Bar = { atLeast: number } | { atMost: number };

export interface Claim {
  /** Starts with the name of its benchmark: `upload: 1 GiB file, beside nginx`. */
  claim: string;
  unit: Unit;
  /** One figure per run. */
  ours: number[];
  /** The peer's figures of the same runs; the bar then applies to the ratio of ours to the peer's. */
  peer?: number[];
  /** Required value; without one, the figure is not judged. */
  bar?: Bar;
}

export interface Result {
  claim: string;
  unit: Unit;
  /** Medians. */
  ours: number;
  peer?: number;
  /** Median of the ratios of each run, so it may differ from the ratio of the medians. */
  ratio?: number;
  bar?: Bar;
  verdict: 'pass' | 'fail' | 'not judged';
  runs: { ours: number[]; peer?: number[] };
}

/** Compares a claim with its bar. */
export function judge({ claim, unit, ours, peer, bar }: Claim): Result {
  const ratio = peer && median(ours.map((figure, run) => figure / (peer[run] ?? Number.NaN)));
  const verdict = bar ? (meets(ratio ?? median(ours), bar) ? 'pass' : 'fail') : 'not judged';
  return {
    claim,
    unit,
    ours: median(ours),
    ...(peer && { peer: median(peer) }),
    ...(ratio !== undefined && { ratio }),
    ...(bar && { bar }),
    verdict,
    runs: { ours, ...(peer && { peer }) },
  };
}

export const COLUMNS = ['claim', 'ours', 'peer', 'ratio', 'bar', 'pass/fail'] as const;

/** Formats a result as cells in the order of COLUMNS; `-` for an empty one. */
export function toCells({ claim, unit, ours, peer, ratio, bar, verdict }: Result): string[] {
  const quantity = (figure: number) => `${format(figure)} ${unit}`;
  return [
    claim,
    quantity(ours),
    peer === undefined ? '-' : quantity(peer),
    ratio === undefined ? '-' : ratio.toFixed(2),
    bar ? formatBar(bar, ratio === undefined ? ` ${unit}` : '') : '-',
    verdict,
  ];
}

function meets(figure: number, bar: Bar): boolean {
  return 'atLeast' in bar ? figure >= bar.atLeast : figure <= bar.atMost;
}

function formatBar(bar: Bar, unit: string): string {
  return 'atLeast' in bar ? `≥ ${bar.atLeast}${unit}` : `≤ ${bar.atMost}${unit}`;
}

/** Three significant digits. */
function format(figure: number): string {
  return figure >= 100 || Number.isInteger(figure) ? figure.toFixed(0) : figure.toPrecision(3);
}
