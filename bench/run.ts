// Runs all benchmarks, or the named ones, sequentially, each in its own process: `node bench/run.ts
// [upload …] [--small] [--runs N] [--json] [--write]`; --write puts the results into docs/performance.md.

import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, release, totalmem, type as system } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../scripts/runtime.ts';
import { COLUMNS, toCells, type Result } from './support/claims.ts';
import { withResults } from './support/performance-page.ts';
import { killWithThisProcess } from './support/processes.ts';

const BENCHES = [
  'upload',
  'resume',
  'download',
  'document',
  'list',
  'scale',
  'renewal',
  'ensure',
  'start',
  'memory',
  's3',
  'restore',
  'publishers',
  'crash',
  'upkeep',
  'events',
  'events-crash',
  'federation',
  'federation-crash',
  'hostile-upstream',
  'session',
  'pages',
  'cli',
];
const PAGE = join(repositoryRoot, 'docs/performance.md');
/** A benchmark that takes longer is killed, with the processes that it has started. */
const TIMEOUT_MS = 30 * 60_000;

const {
  values: { small = false, json = false, write = false, runs },
  positionals,
} = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean' },
    json: { type: 'boolean' },
    write: { type: 'boolean' },
    runs: { type: 'string' },
  },
});
const names = positionals.length > 0 ? positionals : BENCHES;
const unknown = names.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) fail(`Unknown benchmark: ${unknown.join(', ')}. Available: ${BENCHES.join(', ')}.`);
if (write && small) fail('--write cannot be combined with --small, which does not produce valid figures.');
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const results: Result[] = [];
const failed: string[] = [];
if (!json) printLine(COLUMNS);
for (const name of names) {
  const measured = await runBench(name);
  if (!measured) failed.push(name);
  for (const result of measured ?? []) {
    results.push(result);
    if (!json) printLine(toCells(result));
  }
}
if (json) console.log(JSON.stringify(results));
if (write) {
  const machine =
    `Measured with Node ${process.versions.node} ` +
    `on ${system()} ${release().split('-', 1)[0]}: ${availableParallelism()} ` +
    `cores, ${Math.round(totalmem() / 1024 ** 3)} GiB of memory.`;
  await writeFile(
    PAGE,
    withResults(
      await readFile(PAGE, 'utf8'),
      { names: names.filter((name) => !failed.includes(name)), results, machine },
      BENCHES,
    ),
  );
}
if (failed.length > 0) console.error(`Failed without a result: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 || results.some(({ verdict }) => verdict === 'fail') ? 1 : 0;

/** Runs one benchmark. @returns undefined if it failed; it has printed the reason to stderr */
async function runBench(name: string): Promise<Result[] | undefined> {
  console.error(`# ${name}`);
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, `${name}.ts`),
      '--json',
      ...(small ? ['--small'] : []),
      ...(runs === undefined ? [] : ['--runs', runs]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const timer = setTimeout(() => {
    child.kill();
  }, TIMEOUT_MS);
  const [output] = await Promise.all([text(child.stdout), killWithThisProcess(child)]);
  clearTimeout(timer);
  return output === '' ? undefined : (JSON.parse(output) as Result[]);
}

function printLine(cells: readonly string[]): void {
  console.log(cells.join(' | '));
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
