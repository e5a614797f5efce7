// `npm test` runs the everyday tests, `npm run test:full` all parts (test-parts.ts); both install and start what the
// tests need. `npm test -- api/test/db "is idempotent"` selects files by path and tests by name,
// `npm run test:full -- kills` one part.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgresCluster } from '../api/test/support/postgres-cluster.ts';
import { createTemplateDatabase } from '../api/test/support/postgres.ts';
import { createTestBucket } from '../api/test/support/s3.ts';
import { startSwiftCluster } from '../api/test/support/swift-cluster.ts';
import { buildClients } from './build-clients.ts';
import { buildUi } from './build-ui.ts';
import { assertPinnedRuntime, repositoryRoot } from './runtime.ts';
import { filesOf, selectParts, type Selection } from './test-parts.ts';
import {
  ensureChromium,
  ensureCompiler,
  ensureDeployPrograms,
  ensureNode,
  ensureNginx,
  ensureShells,
  ensurePostgres,
  ensureSwift,
} from './test-programs.ts';
import {
  describeSummary,
  MAX_FILE_SECONDS,
  startSummary,
  tooSlow,
  writeSummary,
  type Counts,
} from './test-summary.ts';

/** Concurrent test files: one more than CPUs, since many tests wait for I/O. */
const CONCURRENCY = Math.max(3, availableParallelism() + 1);
/** A test that hangs fails after this time. */
const TEST_TIMEOUT_MS = 600_000;
/** Time limit of a run: a test file with an open handle never exits. */
const RUN_TIMEOUT_MS = 3_600_000;
/** Compile cache shared by all processes of this run and later ones. */
const COMPILE_CACHE = join(repositoryRoot, '.cache/compiled');

const summarise = startSummary();

try {
  assertPinnedRuntime();
  const complete = await runSelected(selectParts(process.argv.slice(2)));
  process.exitCode = complete ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** Runs the selected tests. @returns whether all of them passed */
async function runSelected(selection: Selection): Promise<boolean> {
  await build();
  await installPrograms(selection);
  const [cluster, swift] = await Promise.all([startPostgresCluster(), startSwiftCluster()]);
  process.env['BERTH_TEST_POSTGRES_URL'] = cluster.url;
  process.env['BERTH_TEST_POSTGRES_TEMPLATE'] = await createTemplateDatabase(cluster.url);
  process.env['BERTH_TEST_S3_URL'] = swift.url;
  await createTestBucket(swift.url);
  // Tests of lib-node on older Node versions start their server with this one.
  process.env['BERTH_TEST_NODE'] = process.execPath;
  try {
    const results = new Map<string, Counts>();
    for (const { name, runs } of selection.parts) {
      for (const run of runs) {
        for (const node of run.nodes ?? [undefined]) {
          const files = filesOf(run, selection);
          if (files.length === 0) continue;
          const label = `${name}${run.backends ? ` (${run.backends})` : ''}, Node ${node ?? process.versions.node}`;
          const program = node === undefined ? process.execPath : await ensureNode(node);
          const env = {
            BERTH_TEST_BACKENDS: run.backends ?? 'alternating',
            ...(!node && { NODE_COMPILE_CACHE: COMPILE_CACHE }),
          };
          results.set(label, await runFiles(program, files, selection.names, env));
        }
      }
    }
    return report(results, selection);
  } finally {
    await Promise.all([cluster.stop(), swift.stop()]);
  }
}

async function build(): Promise<void> {
  const tsc = (...parameters: string[]) => execFileSync('tsc', parameters, { cwd: repositoryRoot, stdio: 'inherit' });
  tsc('-b', 'lib-node', 'cli');
  await buildUi({ ifChanged: true });
  await buildClients({ ifChanged: true });
  rmSync(join(repositoryRoot, 'lib-node/.test-build'), { recursive: true, force: true });
  tsc('-p', 'lib-node/test');
}

async function installPrograms({ parts }: Selection): Promise<void> {
  const needs = new Set(parts.flatMap((part) => part.needs));
  await ensurePostgres();
  await ensureSwift();
  await ensureNginx();
  await ensureCompiler();
  if (needs.has('deploy')) await ensureDeployPrograms();
  if (needs.has('shells')) await ensureShells();
  if (needs.has('chromium')) await ensureChromium();
  for (const node of new Set(parts.flatMap(({ runs }) => runs.flatMap(({ nodes = [] }) => nodes))))
    await ensureNode(node);
}

async function runFiles(node: string, files: string[], names: string[], env: Record<string, string>): Promise<Counts> {
  const scratch = await mkdtemp(join(tmpdir(), 'berth-test-'));
  const countsFile = join(scratch, 'counts.json');
  try {
    const exitCode = await runProgram(
      node,
      [
        '--test',
        `--test-concurrency=${CONCURRENCY}`,
        `--test-timeout=${TEST_TIMEOUT_MS}`,
        ...names.map((name) => `--test-name-pattern=${name}`),
        '--test-reporter=spec',
        '--test-reporter-destination=stdout',
        `--test-reporter=${join(import.meta.dirname, 'test-counts.js')}`,
        `--test-reporter-destination=${countsFile}`,
        ...files,
      ],
      env,
    );
    const counts = JSON.parse(readFileSync(countsFile, 'utf8')) as Counts;
    return exitCode === 0 ? counts : { ...counts, failed: Math.max(1, counts.failed) };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** Runs a program to its end; forwards signals to it. */
async function runProgram(program: string, parameters: string[], env: Record<string, string>): Promise<number> {
  const child = spawn(program, parameters, { cwd: repositoryRoot, stdio: 'inherit', env: { ...process.env, ...env } });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let reason: string | undefined;
  const stop = (why: string) => {
    reason = why;
    child.kill();
  };
  for (const signal of signals) process.on(signal, stop);
  const timeout = setTimeout(() => {
    stop(`the limit of ${RUN_TIMEOUT_MS / 60_000} minutes`);
  }, RUN_TIMEOUT_MS);
  const [exitCode, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  clearTimeout(timeout);
  for (const signal of signals) process.off(signal, stop);
  reason ??= killedBy ?? undefined;
  if (reason) throw new Error(`Tests stopped by ${reason}.`);
  return exitCode ?? 1;
}

/** Writes and prints the summary. @returns whether everything passed and nothing was skipped */
function report(results: Map<string, Counts>, { isWhole, isEveryday, names }: Selection): boolean {
  const all = [...results.values()];
  const summary = summarise(all);
  if (isWhole) writeSummary(summary);
  console.log(`\n${describeSummary(summary)}\n`);
  for (const [label, { passed, failed }] of results) console.log(`${label}: ${passed} passed, ${failed} failed`);
  const total = (field: 'passed' | 'failed' | 'skipped') => all.reduce((sum, counts) => sum + counts[field], 0);
  // With name patterns, older Node versions count the other tests as skipped.
  const skipped = names.length > 0 ? 0 : total('skipped');
  if (skipped > 0) console.log(`${skipped} skipped: a test that cannot run here must fail with the reason`);
  if (total('passed') + total('failed') === 0) console.log('No test has this name.');
  // Not a failure: how long a file takes depends on the machine and on what else it does.
  if (isWhole && isEveryday)
    for (const { file, seconds } of tooSlow(summary))
      console.log(`${file} took ${seconds} s: aim for at most ${MAX_FILE_SECONDS} s per file.`);
  console.log(`${total('passed')} passed, ${total('failed')} failed`);
  return total('passed') > 0 && total('failed') === 0 && skipped === 0;
}
