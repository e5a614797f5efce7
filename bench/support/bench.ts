// What every bench has in common: its options, a directory for its files, the lines it prints.
//   --small   sizes that show within seconds that it works: nothing is judged
//   --runs N  how many runs count
//   --json    every run's figures as JSON instead of lines

import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { assertPinnedRuntime } from '../../scripts/runtime.ts';
import { COLUMNS, judge, toCells, type Claim } from './claims.ts';

export interface Bench {
  /** Empty, on the disk that is measured; removed when the bench ends, however it ends. */
  directory: string;
  /** Chooses the sizes to measure with. */
  sizes<Sizes extends { runs: number }>(sizes: { full: Sizes; small: Sizes }): Sizes;
  /** Tells whoever watches what is done now. */
  say(text: string): void;
}

/** Runs a bench from the command line; ends with 1 when a claim fails, or the bench itself. */
export async function runBench(measure: (bench: Bench) => Promise<Claim[]>): Promise<void> {
  try {
    assertPinnedRuntime();
    const { small, json, runs } = readOptions();
    const results = (
      await measure({
        directory: await makeDirectory(),
        sizes: ({ full, small: smaller }) => ({ ...(small ? smaller : full), ...(runs !== undefined && { runs }) }),
        say: (text) => {
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
    throw new Error('--runs takes a whole number from 1.');
  return { small: values.small ?? false, json: values.json ?? false, runs };
}

/** Also ends this process by `exit` where a signal would, which stops its servers. */
async function makeDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  });
  return directory;
}
