// Types the steps of docs/first-change.md in a copy of the repository, and runs its commands there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { knownMigrations } from '../../api/src/db/index.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { applyDiff, applyStep, copyRepository, readSteps } from './walkthrough.ts';

const page = await readFile(join(repositoryRoot, 'docs/first-change.md'), 'utf8');
const steps = readSteps(page);
/** Settings that must not reach the commands: the template database lacks the column that the page adds. */
const NOT_INHERITED = /^(npm_|INIT_CWD$|NODE_TEST_CONTEXT$|NODE_COMPILE_CACHE$|BERTH_TEST_POSTGRES_TEMPLATE$)/;
/** A failed command's last characters, which sum up its failures. */
const MAX_OUTPUT_LENGTH = 8000;

describe('the page on the first change', () => {
  let copy: string;
  before(async () => {
    copy = await mkdtemp(join(tmpdir(), 'berth-first-change-'));
    await copyRepository(copy);
  });
  after(() => rm(copy, { recursive: true, force: true }));

  async function run(commands: string): Promise<void> {
    const inherited = Object.entries(process.env).filter(([name]) => !NOT_INHERITED.test(name));
    const env = {
      ...Object.fromEntries(inherited),
      PATH: [join(copy, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
    };
    const options = { cwd: copy, env, maxBuffer: 64 * 1024 * 1024 };
    try {
      await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commands], options);
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      assert.fail(`${commands}\n${stdout.slice(-MAX_OUTPUT_LENGTH)}\n${stderr.slice(-MAX_OUTPUT_LENGTH)}`);
    }
  }

  test('gives its migration the next number', () => {
    const next = String(knownMigrations().length + 1).padStart(4, '0');
    const numbers = new Set([...page.matchAll(/\b(\d{4})-grant-reasons/g)].map((match) => match[1]));
    assert.deepEqual([...numbers], [next], `rename the migration in docs/first-change.md to ${next}-grant-reasons`);
  });

  for (const step of steps) {
    if (step.kind !== 'run') test(`its step for ${step.path} applies`, () => applyStep(copy, step));
  }

  describe('its commands succeed after all steps', { concurrency: true }, () => {
    for (const step of steps) if (step.kind === 'run') test(step.commands.trim(), () => run(step.commands));
  });

  test('its setting and its error are in the generated pages', async () => {
    const read = (path: string) => readFile(join(copy, path), 'utf8');
    assert.match(await read('docs/reference/configuration.md'), /^\| `REQUIRE_GRANT_REASON` \| `false` \|/m);
    assert.match(await read('docs/reference/errors.md'), /^\| `grant_reason_missing` \| 400 \|/m);
  });
});

describe('an edit', () => {
  const text = 'one\ntwo\n\nthree\ntwo\n';

  test('replaces lines that occur once, at several places', () => {
    assert.equal(applyDiff(text, ' one\n+and a half\n@@\n-two\n\n three\n'), 'one\nand a half\n\nthree\ntwo\n');
  });

  test('is refused if its lines are missing, ambiguous or unmarked', () => {
    assert.throws(() => applyDiff(text, '-four\n'), /missing/);
    assert.throws(() => applyDiff(text, '-two\n+four\n'), /ambiguous/);
    assert.throws(() => applyDiff(text, ' on\n+four\n'), /missing/);
    assert.throws(() => applyDiff(text, 'one\n+four\n'), /starts with neither/);
  });
});

test('a block that is no step is refused', () => {
  assert.throws(() => readSteps('Some text:\n\n```diff\n+line\n```\n'), /a block of diff/);
});
