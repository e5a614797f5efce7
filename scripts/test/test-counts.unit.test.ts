import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensureNode } from '../test-programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'berth-counts-'));
const nodes = [process.execPath];
before(async () => {
  nodes.push(await ensureNode('20.20.2'));
});
after(() => {
  rmSync(folder, { recursive: true });
});

writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
writeFileSync(
  join(folder, 'mixed.test.js'),
  `
  import { describe, test } from 'node:test';
  describe('harbour', () => {
    test('ships arrive', (t) => { t.diagnostic('pass 77'); });
    test('ships leave', () => { throw new Error('fog'); });
    test('ships sink', { skip: true }, () => {});
    test('ships fly', { todo: true }, () => {});
  });`,
);
writeFileSync(join(folder, 'empty.test.js'), '');
writeFileSync(join(folder, 'broken.test.js'), 'throw new Error("on import");');

interface Counted {
  passed: number;
  failed: number;
  skipped: number;
  files: { file: string; seconds: number }[];
}

function run(node: string, ...parameters: string[]): Counted {
  const reporter = join(import.meta.dirname, '../test-counts.js');
  // Without the variable from which a test runner knows that another one started it.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const { stdout } = spawnSync(
    node,
    ['--test', `--test-reporter=${reporter}`, '--test-reporter-destination=stdout', ...parameters],
    { cwd: folder, encoding: 'utf8', env },
  );
  return JSON.parse(stdout) as Counted;
}

function count(node: string, ...parameters: string[]): Omit<Counted, 'files'> {
  const { passed, failed, skipped } = run(node, ...parameters);
  return { passed, failed, skipped };
}

test('tests are counted, but not suites and files without tests', () => {
  for (const node of nodes)
    assert.deepEqual(count(node, 'mixed.test.js', 'empty.test.js'), { passed: 1, failed: 1, skipped: 2 });
});

test('a file that throws on import counts as failed', () => {
  for (const node of nodes) assert.deepEqual(count(node, 'broken.test.js'), { passed: 0, failed: 1, skipped: 0 });
});

test('a name that matches no test counts nothing', () => {
  for (const node of nodes)
    assert.deepEqual(count(node, '--test-name-pattern=ghosts', 'empty.test.js'), { passed: 0, failed: 0, skipped: 0 });
});

test('the duration of each file with tests is reported', () => {
  const { files } = run(process.execPath, 'mixed.test.js');
  assert.deepEqual(files.map(({ file }) => file).sort(), ['mixed.test.js']);
  assert.ok(files.every(({ seconds }) => seconds >= 0 && seconds < 60));
});
