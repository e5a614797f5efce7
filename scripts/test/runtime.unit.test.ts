import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { assertPinnedRuntime, repositoryRoot } from '../runtime.ts';
import { ensureNode } from '../test-programs.ts';

let olderNode: string;
before(async () => {
  olderNode = await ensureNode('20.20.2');
});

/** Starts a TypeScript program, which an older Node cannot parse, like the npm scripts do. */
function start(node: string) {
  return spawnSync(node, ['--import', './scripts/check-runtime.js', join(import.meta.dirname, '../runtime.ts')], {
    cwd: repositoryRoot,
    encoding: 'utf8',
  });
}

test('an older Node is rejected in one sentence, before it loads TypeScript', () => {
  const { status, stderr } = start(olderNode);
  assert.equal(status, 1);
  assert.match(stderr, /^Berth requires Node 22\.19 or later, but this is v20\.20\.2: run `npm ci`, [^\n]+\.\n$/);
});

test('the pinned Node starts without output', () => {
  const { status, stdout, stderr } = start(process.execPath);
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '' });
});

test('another Node than the pinned one may serve but not run tests', () => {
  assertPinnedRuntime();
  assert.throws(() => {
    assertPinnedRuntime('22.23.3');
  }, /requires Node 24\.21\.0 but was started with 22\.23\.3: run `npm ci`/);
});
