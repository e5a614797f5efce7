import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { rememberStored } from '../support/stored-state.ts';
import { buildTarball, npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const MIB = 1024 * 1024;
const LARGE = randomBytes(3 * MIB);
const TARBALL = await npmTarball({ files: { data: LARGE } });

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server.close());

test('a crash of the worker thread fails its uploads with 500, and the next upload succeeds', async () => {
  const assertUntouched = await rememberStored(server);
  const started = once(process, 'worker') as Promise<[Worker]>;
  const uploads = await Promise.all(['one', 'two'].map((id) => beginSlowUpload(server, { id, file: TARBALL })));
  // An upload that reaches the thread only now starts another one, which crashes as well.
  const crash = (worker: Worker) => void worker.terminate();
  process.on('worker', crash);
  crash((await started)[0]);
  for (const { connection } of uploads) {
    const { status, body } = await connection.answer();
    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [500, 'internal_error']);
    connection.end();
  }
  process.off('worker', crash);
  await assertUntouched();
  assert.equal((await server.upload('one', { file: TARBALL })).status, 201);
});

test('a client that stops sending receives the error of the bytes that it has sent', async () => {
  const file = await buildTarball([
    { path: 'package/data', content: LARGE },
    { path: '../outside', content: '' },
    { path: 'package/more', content: LARGE },
  ]);
  const assertUntouched = await rememberStored(server);
  const { connection } = await beginSlowUpload(server, { id: 'new', file, share: 0.6, waits: false });
  const { status, body } = await connection.answer();
  assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [400, 'tarball_unsafe_entry']);
  connection.end();
  await assertUntouched();
});

test('closing the server ends the worker thread', async () => {
  const started = once(process, 'worker') as Promise<[Worker]>;
  const other = await startTestServer();
  assert.equal((await other.upload('one', { file: TARBALL })).status, 201);
  const ended = once((await started)[0], 'exit');
  await other.close();
  await ended;
});
