import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createLogOutput } from '../../src/http/log-output.ts';

describe('log lines', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-log-'));
  });
  after(() => rm(directory, { recursive: true }));

  test('are written in order at the end of their turn of the event loop', async () => {
    const file = join(directory, 'turn.log');
    const descriptor = openSync(file, 'w');
    const output = createLogOutput(descriptor);
    output.write('one\n');
    output.write('two\n');
    assert.equal(readFileSync(file, 'utf8'), '');
    await nextTurn();
    assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\n');
    await output.close();
    closeSync(descriptor);
  });

  test('beyond the buffer size are written before the end of the turn, without loss', async () => {
    const file = join(directory, 'many.log');
    const descriptor = openSync(file, 'w');
    const output = createLogOutput(descriptor);
    const lines = Array.from({ length: 5000 }, (_unused, index) => `${index}: ${'é'.repeat(100)}\n`);
    for (const line of lines) output.write(line);
    assert.ok(readFileSync(file).length > 0);
    await output.close();
    assert.equal(readFileSync(file, 'utf8'), lines.join(''));
    closeSync(descriptor);
  });

  test('of a process that exits in the same turn are written, even if it fails', async () => {
    const program = (end: string) => `
      const { createLogOutput } = await import(${JSON.stringify(import.meta.resolve('../../src/http/log-output.ts'))});
      createLogOutput().write('the last words\\n');
      ${end}`;
    for (const [end, status] of [
      ['process.exit(0)', 0],
      ['process.exit(3)', 3],
      ['throw new Error("by design")', 1],
    ] as const) {
      const ended = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program(end)]).then(
        ({ stdout }) => ({ stdout, code: 0 }),
        (error: unknown) => error as { stdout: string; code: number },
      );
      assert.deepEqual([ended.stdout, ended.code], ['the last words\n', status]);
    }
  });
});
