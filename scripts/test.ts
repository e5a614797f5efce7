// `npm test`: every test of the repository, with whatever they need installed and started.
// `npm test -- api/test/db "drops what"` runs the files of these paths, or else the tests of these names; with --full the
// whole server is tested on the other combinations of database and storage as well.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgresCluster } from '../api/test/support/postgres-cluster.ts';
import { startSwiftCluster } from '../api/test/support/swift-cluster.ts';
import { buildUi } from './build-ui.ts';
import { assertPinnedRuntime, repositoryRoot } from './runtime.ts';
import { ensureChromium, ensureCompiler, ensureDeployPrograms, ensureNode, ensureNginx, ensurePostgres, ensureSwift } from './test-programs.ts';

/** The newest of each older line that lib-node supports; its tests run there once more. */
const OLDER_NODES = ['20.20.2', '22.23.3'];
const TEST_FILES = '{{api,bench,cli,deploy,docs,lib-node,scripts}/test,ui/e2e}/**/*.test.ts';
/** What runs whole servers, whose databases and storages are chosen by api/test/support/test-server.ts, and browsers, whose languages and widths are by ui/e2e/support/visitor.ts. */
const CROSSED_TEST_FILES = '{api/test/**/*.api.test.ts,ui/e2e/*.test.ts}';
const COMPILED_TEST_FILES = 'lib-node/.test-build/**/*.test.js';
/** Test files at a time; whole servers run in them. */
const CONCURRENCY = Math.min(4, Math.max(2, availableParallelism()));
/** After which a test that hangs fails. */
const TEST_TIMEOUT_MS = 600_000;
/** After which a run is ended and names the files that go on: a file with something left open never ends by itself. */
const RUN_TIMEOUT_MS = 3_600_000;

interface Selection { files: string[]; names: string[] }
interface Counts { passed: number; failed: number; skipped: number }

try {
  assertPinnedRuntime();
  const complete = await runSelected(process.argv.slice(2));
  process.exitCode = complete ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

/** Whether everything that was asked for ran and passed. */
async function runSelected(parameters: string[]): Promise<boolean> {
  const isFull = parameters.includes('--full');
  const words = parameters.filter((word) => word !== '--full');
  const selection = select(TEST_FILES, words);
  await build();
  const compiled = select(COMPILED_TEST_FILES, words);
  await ensurePostgres();
  await ensureSwift();
  await ensureNginx();
  await ensureCompiler();
  await ensureDeployPrograms();
  await ensureChromium();
  for (const version of OLDER_NODES) await ensureNode(version);
  const [cluster, swift] = await Promise.all([startPostgresCluster(), startSwiftCluster()]);
  process.env.BERTH_TEST_POSTGRES_URL = cluster.url;
  process.env.BERTH_TEST_S3_URL = swift.url;
  // On older Nodes lib-node is tested against a server that needs this one.
  process.env.BERTH_TEST_NODE = process.execPath;
  try {
    const results = new Map([[process.versions.node, await runFiles(process.execPath, selection)]]);
    const servers = select(CROSSED_TEST_FILES, words);
    if (isFull && servers.files.length > 0) results.set(`${process.versions.node}, crossed`, await runFiles(process.execPath, servers, { BERTH_TEST_BACKENDS: 'crossed' }));
    for (const version of compiled.files.length > 0 ? OLDER_NODES : []) {
      results.set(version, await runFiles(await ensureNode(version), compiled));
    }
    return summarise(results, selection);
  } finally {
    await Promise.all([cluster.stop(), swift.stop()]);
  }
}

/** Takes words that are part of a file's path as files, the others as names of tests. */
function select(pattern: string, words: string[]): Selection {
  const all = globSync(pattern, { cwd: repositoryRoot }).sort();
  const sources = globSync(TEST_FILES, { cwd: repositoryRoot });
  const paths = words.filter((word) => sources.some((file) => file.includes(word)));
  const source = (file: string) => file.replace('/.test-build/', '/test/').replace(/\.js$/, '.ts');
  return {
    files: paths.length > 0 ? all.filter((file) => paths.some((path) => source(file).includes(path))) : all,
    names: words.filter((word) => !paths.includes(word)),
  };
}

async function build(): Promise<void> {
  const tsc = (...parameters: string[]) => execFileSync('tsc', parameters, { cwd: repositoryRoot, stdio: 'inherit' });
  tsc('-b', 'lib-node', 'cli');
  await buildUi({ ifChanged: true });
  rmSync(join(repositoryRoot, 'lib-node/.test-build'), { recursive: true, force: true });
  tsc('-p', 'lib-node/test');
}

async function runFiles(node: string, { files, names }: Selection, env: Record<string, string> = {}): Promise<Counts> {
  const scratch = await mkdtemp(join(tmpdir(), 'berth-test-'));
  const countsFile = join(scratch, 'counts.json');
  try {
    const exitCode = await runProgram(node, [
      '--test', `--test-concurrency=${CONCURRENCY}`, `--test-timeout=${TEST_TIMEOUT_MS}`, ...names.map((name) => `--test-name-pattern=${name}`),
      '--test-reporter=spec', '--test-reporter-destination=stdout',
      `--test-reporter=${join(import.meta.dirname, 'test-counts.js')}`, `--test-reporter-destination=${countsFile}`,
      ...files,
    ], env);
    const counts = JSON.parse(readFileSync(countsFile, 'utf8')) as Counts;
    return exitCode === 0 ? counts : { ...counts, failed: Math.max(1, counts.failed) };
  } finally {
    await rm(scratch, { recursive: true });
  }
}

/** Runs to the end; a signal to this process ends that one too. */
async function runProgram(program: string, parameters: string[], env: Record<string, string>): Promise<number> {
  const child = spawn(program, parameters, { cwd: repositoryRoot, stdio: 'inherit', env: { ...process.env, ...env } });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  let reason: string | undefined;
  const end = (why: string) => { reason = why; child.kill(); };
  for (const signal of signals) process.on(signal, end);
  const timeout = setTimeout(() => { end(`the limit of ${RUN_TIMEOUT_MS / 60_000} minutes`); }, RUN_TIMEOUT_MS);
  const [exitCode, killedBy] = await once(child, 'exit') as [number | null, NodeJS.Signals | null];
  clearTimeout(timeout);
  for (const signal of signals) process.off(signal, end);
  reason ??= killedBy ?? undefined;
  if (reason) throw new Error(`Ended by ${reason}.`);
  return exitCode ?? 1;
}

function summarise(results: Map<string, Counts>, { names }: Selection): boolean {
  const total = (field: keyof Counts) => [...results.values()].reduce((sum, counts) => sum + counts[field], 0);
  console.log();
  for (const [version, counts] of results) console.log(`Node ${version}: ${counts.passed} passed, ${counts.failed} failed`);
  // Where only some names are asked for, older Nodes count the other tests as skipped.
  const skipped = names.length > 0 ? 0 : total('skipped');
  if (skipped > 0) console.log(`${skipped} skipped: a test that cannot run here has to fail and say why`);
  if (total('passed') + total('failed') === 0) console.log('No test has this name.');
  console.log(`${total('passed')} passed, ${total('failed')} failed`);
  return total('passed') > 0 && total('failed') === 0 && skipped === 0;
}
