import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { openPartFile } from '../dist/part-file.js';
import { makeDirectory } from './support/setting.ts';
import { incompressible } from './support/tarballs.ts';

test('appended bytes are written in order, also if they arrive faster than the disk writes', async (t) => {
  const path = join(await makeDirectory(t), 'part');
  const bytes = incompressible(500_000);
  const part = await openPartFile(path);
  for (let round = 0; round < 20; round += 1) {
    for (let at = 0; at < bytes.length; at += 60_000) await part.append(bytes.subarray(at, at + 60_000));
  }
  await part.flush();
  assert.deepEqual(await readFile(path), Buffer.concat(Array.from({ length: 20 }, () => bytes)));
  await part.close();
});

test('close writes queued bytes, clear discards them, and the next file appends', async (t) => {
  const path = join(await makeDirectory(t), 'part');
  const first = await openPartFile(path);
  await first.append(Buffer.from('dropped'));
  await first.clear();
  await first.append(Buffer.from('one '));
  await first.close();
  const second = await openPartFile(path);
  await second.append(Buffer.from('two'));
  await second.flush();
  let text = '';
  for await (const chunk of second.read()) text += Buffer.from(chunk).toString();
  assert.equal(text, 'one two');
  await second.close();
});

test('a full disk is reported by the next call', async () => {
  const part = await openPartFile('/dev/full');
  await part.append(Buffer.from('x'));
  await assert.rejects(part.flush(), { code: 'ENOSPC' });
  await assert.rejects(part.append(Buffer.from('y')), { code: 'ENOSPC' });
  await part.close();
});
