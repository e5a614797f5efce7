// Entry point of every benchmark: parses its options, creates its directory and prints its results.
//   --small   small sizes, to check within seconds that it works; nothing is judged
//   --runs N  number of measured runs
//   --json    prints the figures of every run as JSON instead of lines

import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { assertPinnedRuntime } from '../../scripts/runtime.ts';
import { COLUMNS, judge, toCells, type Claim } from './claims.ts';

export interface Bench {
  /** Empty directory on the measured disk; removed when the process exits. */
  directory: string;
  /** Selects the full or the small sizes. */
  sizes<Sizes extends { runs: number }>(sizes: { full: Sizes; small: Sizes }): Sizes;
  /** Prints progress to stderr. */
  log(text: string): void;
}

/** Runs a benchmark from the command line. The exit status is 1 if a claim or the benchmark itself fails. */
export async function runBench(measure: (bench: Bench) => Promise<Claim[]>): Promise<void> {
  try {
    assertPinnedRuntime();
    const { small, json, runs } = readOptions();
    const results = (
      await measure({
        directory: await makeDirectory(),
        sizes: ({ full, small: smaller }) => ({ ...(small ? smaller : full), ...(runs !== undefined && { runs }) }),
        log: (text) => {
          console.error(text);
        },
      })
    )
      .map(judge)
      .map((result) => (small ? { ...result, verdict: 'not judged' as const } : result));
    if (json) console.log(JSON.stringify(results));
    else for (const cells of [COLUMNS, ...results.map(toCells)]) console.log(cells.join(' | '));
    if (results.some(({ verdict }) => verdict === 'fail')) process.exitCode = 1;
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}

function readOptions(): { small: boolean; json: boolean; runs: number | undefined } {
  const { values } = parseArgs({
    options: { small: { type: 'boolean' }, json: { type: 'boolean' }, runs: { type: 'string' } },
  });
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0))
    throw new Error('--runs must be a whole number of at least 1.');
  return { small: values.small ?? false, json: values.json ?? false, runs };
}

/** Creates the directory. Also turns SIGINT and SIGTERM into `exit`, so that its handlers stop the servers. */
async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  return directory;
}
