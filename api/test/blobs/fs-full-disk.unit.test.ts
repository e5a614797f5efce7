// The file system driver on a full disk. Each scenario runs in a process with a file size limit.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { KIB } from './contract/blob-bytes.ts';
import { makeFsStore } from './fs-fixture.ts';

const SCRIPT = join(import.meta.dirname, 'fs-full-disk-child.ts');

async function runOnFullDisk(t: TestContext, scenario: string, limitKib: number): Promise<unknown> {
  const fixture = await makeFsStore();
  t.after(() => fixture.remove());
  fixture.open();
  const limited = `ulimit -f ${limitKib}; exec "$@"`;
  const program = [process.execPath, SCRIPT, fixture.root, scenario];
  const { stdout } = await promisify(execFile)('bash', ['-c', limited, 'bash', ...program]);
  return JSON.parse(stdout);
}

describe('fs store on a full disk', () => {
  test('reports storage_full for chunks of any size, and an abort leaves nothing', async (t) => {
    const codes = ['storage_full', 'storage_full', 'storage_full'];
    assert.deepEqual(await runOnFullDisk(t, 'abort', 512), { codes, left: [] });
  });

  test('reports storage_full on finish when the blob was buffered, after which only abort is allowed', async (t) => {
    assert.deepEqual(await runOnFullDisk(t, 'finish', 50), {
      code: 'storage_full',
      again: 'blob_writer_closed',
      left: [],
    });
  });

  test('keeps no byte of a chunk that did not fit', async (t) => {
    const offset = 600 * KIB;
    assert.deepEqual(await runOnFullDisk(t, 'smaller', 1000), {
      code: 'storage_full',
      offset,
      sizeBytes: offset + 10,
      identical: true,
    });
  });

  test('resumes a suspended blob at its offset', async (t) => {
    assert.deepEqual(await runOnFullDisk(t, 'resume', 1000), { code: 'storage_full', kept: true });
  });

  test('passes the check, since blobs can still be served', async (t) => {
    assert.deepEqual(await runOnFullDisk(t, 'check', 0), { left: [] });
  });
});
