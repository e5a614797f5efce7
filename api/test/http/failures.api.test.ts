import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startPostgresCluster } from '../support/postgres-cluster.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

const BYTES = randomBytes(3_000_000);

interface LogLine {
  level: number;
  requestId: string;
  err?: { message: string };
}

for (const dialect of DIALECTS) {
  describe(`a server on ${dialect} with a failing storage or database`, () => {
    let server: TestServer;
    let blobs: string;
    before(async () => {
      server = await startTestServer({ dialect, storage: 'fs' });
      blobs = join(server.dataDir, 'blobs');
      assert.equal((await put()).status, 201);
    });
    after(() => server.close());

    const put = (id = 'present', bytes = BYTES) => server.upload(id, { format: 'file', file: bytes });
    const download = (headers = {}) =>
      server.api('GET', '/artefacts/present/download', { headers: { ...server.internal, ...headers } });
    const ready = async () => {
      const response = await fetch(`${server.url}/api/health/ready`);
      return [response.status, await response.json()];
    };
    const onlyFile = async () => {
      const [entry] = (await readdir(blobs, { recursive: true, withFileTypes: true })).filter((it) => it.isFile());
      return join(entry!.parentPath, entry!.name);
    };
    const assertLogged = (requestId: string, message: RegExp) => {
      const lines = server.logs.map((line) => JSON.parse(line) as LogLine);
      assert.match(
        lines.find((line) => line.requestId === requestId && line.level === 50)?.err?.message ?? '',
        message,
      );
    };

    test('is ready before the failures', async () => {
      assert.deepEqual(await ready(), [200, { status: 'ok', database: 'ok', storage: 'ok' }]);
    });

    test('reports a missing file, serves the rest, and is repaired by the same upload', async () => {
      await rm(await onlyFile());
      await readProblem(await download(), 500, 'blob_missing');
      await readProblem(await download({ range: 'bytes=5-9' }), 500, 'blob_missing');
      assert.equal(
        (await server.api('HEAD', '/artefacts/present/download', { headers: server.internal })).status,
        200,
      );
      assert.equal((await put()).status, 201);
      assert.deepEqual(Buffer.from(await (await download()).arrayBuffer()), BYTES);
    });

    test('never serves a truncated file as complete', async () => {
      await truncate(await onlyFile(), 1_000_000);
      for (const headers of [{}, { range: 'bytes=0-2000000' }]) {
        const response = await download(headers);
        assert.ok(response.ok);
        await assert.rejects(response.arrayBuffer());
      }
      await readProblem(await download({ range: 'bytes=2000000-' }), 500, 'blob_missing');
      await truncate(await onlyFile(), 0);
      await readProblem(await download(), 500, 'blob_missing');
      assert.equal((await put()).status, 201);
      assert.deepEqual(Buffer.from(await (await download()).arrayBuffer()), BYTES);
    });

    test('reports an unavailable storage, also in its health, and recovers', async () => {
      await rename(blobs, `${blobs}-away`);
      await readProblem(await put('new'), 503, 'storage_unavailable');
      await readProblem(await download(), 503, 'storage_unavailable');
      assert.deepEqual(await ready(), [200, { status: 'ok', database: 'ok', storage: 'unavailable' }]);
      assert.equal((await server.api('GET', '/artefacts/present', { headers: server.internal })).status, 200);
      await rename(`${blobs}-away`, blobs);
      assert.deepEqual(await ready(), [200, { status: 'ok', database: 'ok', storage: 'ok' }]);
      assert.equal((await put('new')).status, 201);
    });

    test('hides database errors from clients, and logs them with the request ID', async () => {
      await query(server, 'alter table artefact_access rename to artefact_access_away');
      // Access lists are read only for callers with an account.
      const headers = { ...server.internal, 'x-account': JSON.stringify({ type: 'organization', id: 'acme' }) };
      const get = () => server.api('GET', '/artefacts/present', { headers });
      const { requestId, detail } = await readProblem(await get(), 500, 'internal_error');
      assert.doesNotMatch(detail, /artefact_access/);
      assertLogged(requestId, /artefact_access/);
      await query(server, 'alter table artefact_access_away rename to artefact_access');
      await readProblem(await get(), 403, 'not_shared');
    });
  });
}

test('a server reports an unavailable PostgreSQL, also in its health, and stays up', async () => {
  const cluster = await startPostgresCluster();
  const server = await startTestServer({ dialect: 'postgres', env: { DATABASE_URL: cluster.url } });
  assert.equal((await server.upload('present', { format: 'file', file: BYTES })).status, 201);
  await cluster.stop();
  for (const request of [
    server.api('GET', '/artefacts'),
    server.api('GET', '/artefacts/present/download', { headers: server.internal }),
    server.upload('new', { format: 'file', file: BYTES }),
  ]) {
    const response = await request;
    assert.equal(response.headers.get('retry-after'), '2');
    await readProblem(response, 503, 'database_unavailable');
  }
  const ready = await fetch(`${server.url}/api/health/ready`);
  assert.deepEqual(
    [ready.status, await ready.json()],
    [503, { status: 'unavailable', database: 'unavailable', storage: 'ok' }],
  );
  assert.equal((await fetch(`${server.url}/api/health/live`)).status, 200);
  await server.close();
});
