// A server whose S3 rejects requests or drops connections. The tests of blobs/ cover the driver.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { TEST_BUCKET, testS3Url } from '../support/s3.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startS3Proxy, type S3Proxy } from '../support/s3-proxy.ts';
import { assertTidy, query, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, uploadArtefact } from './documents.ts';

const MIB = 1024 * 1024;
const PRESENT = randomBytes(7 * MIB);
const OTHER = randomBytes(6 * MIB);
const TARBALL = await npmTarball({ files: { data: randomBytes(6 * MIB) } });

for (const dialect of DIALECTS) {
  describe(`a server on ${dialect} with failing S3`, () => {
    let server: TestServer;
    let proxy: S3Proxy;
    before(async () => {
      proxy = await startS3Proxy(await testS3Url());
      server = await startTestServer({ dialect, storage: 's3', env: { S3_ENDPOINT: proxy.url } });
      await uploadArtefact(server, 'present', { format: 'file', file: PRESENT });
    });
    afterEach(() => {
      proxy.heal();
    });
    after(async () => {
      await server.close();
      await proxy.close();
    });

    const put = (id: string, file: Uint8Array = OTHER) => server.upload(id, { format: 'file', file });
    const get = (headers: Record<string, string> = {}) =>
      server.api('GET', '/artefacts/present/download', { headers: { ...server.internal, ...headers } });
    const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
    const ready = async () => {
      const response = await fetch(`${server.url}/api/health/ready`);
      return [response.status, await response.json()];
    };

    for (const [step, calls, fault] of [
      ['creation', /^POST .*\?uploads/, { status: 500, name: 'InternalError' }],
      ['a part', /partNumber=/, { reset: 'before' }],
      ['completion', /^POST .*\?uploadId=/, { status: 503, name: 'ServiceUnavailable' }],
    ] as const) {
      test(`rejects an upload at ${step}, stores nothing, and accepts it when S3 recovers`, async () => {
        const assertUntouched = await rememberStored(server);
        proxy.break(fault, { calls, times: Infinity });
        await readProblem(await put('new'), 503, 'storage_unavailable');
        await readProblem(await put('present'), 503, 'storage_unavailable');
        await readProblem(await server.upload('plugin', { file: TARBALL }), 503, 'storage_unavailable');
        proxy.heal();
        await assertUntouched();
        assert.equal((await put(`new, failed at ${step}`, PRESENT)).status, 201);
      });
    }

    test('reports that the storage is full', async () => {
      const assertUntouched = await rememberStored(server);
      proxy.break({ status: 403, name: 'QuotaExceeded' }, { calls: /partNumber=/, times: Infinity });
      await readProblem(await put('new'), 507, 'storage_full');
      proxy.heal();
      await assertUntouched();
    });

    test('completes a download although its connections to S3 break', async () => {
      proxy.break({ cutAfterBytes: 2 * MIB }, { calls: /^GET /, times: 4 });
      assert.ok((await bytesOf(await get())).equals(PRESENT));
      proxy.break({ cutAfterBytes: MIB }, { calls: /^GET /, times: 2 });
      assert.ok((await bytesOf(await get({ range: 'bytes=1000-5000000' }))).equals(PRESENT.subarray(1000, 5_000_001)));
    });

    test('never presents truncated bytes as complete, and reports a download that cannot start', async () => {
      proxy.break({ cutAfterBytes: MIB }, { calls: /^GET / });
      const response = await get();
      proxy.break({ cutAfterBytes: 0 }, { calls: /^GET /, times: Infinity });
      await assert.rejects(response.arrayBuffer());
      proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /^GET /, times: Infinity });
      await readProblem(await get(), 503, 'storage_unavailable');
      proxy.heal();
      assert.ok((await bytesOf(await get())).equals(PRESENT));
    });

    test('reports the failure in its health, stays up, and is ready when S3 recovers', async () => {
      assert.deepEqual(await ready(), [200, { status: 'ok', database: 'ok', storage: 'ok' }]);
      proxy.break({ reset: 'before' }, { calls: /./, times: Infinity });
      assert.deepEqual(await ready(), [200, { status: 'ok', database: 'ok', storage: 'unavailable' }]);
      assert.equal((await server.api('GET', '/artefacts/present', { headers: server.internal })).status, 200);
      proxy.heal();
      assert.deepEqual(await ready(), [200, { status: 'ok', database: 'ok', storage: 'ok' }]);
    });

    test('closes its connection to S3 when a client disconnects', async () => {
      for (const path of [artefactPath('present', '/download'), artefactPath('present', '/download?redirect=false')]) {
        const connection = await openConnection(server.url);
        connection.socket.pause();
        await connection.send(requestHead('GET', `/api/v1${path}`, server.internal));
        await eventually(async () => {
          assert.equal(proxy.pendingCalls(), 1);
        });
        connection.end();
        await eventually(async () => {
          assert.equal(proxy.pendingCalls(), 0);
        });
      }
    });

    test('reports lost or truncated bytes, and the same upload restores them', async () => {
      const { s3 } = server;
      assert.ok(s3);
      for (const Body of [undefined, PRESENT.subarray(0, MIB), Buffer.alloc(0)]) {
        const [{ storage_key: key } = { storage_key: '' }] = await query<{ storage_key: string }>(
          server,
          `select storage_key from blobs where size = ${PRESENT.length}`,
        );
        const object = { Bucket: TEST_BUCKET, Key: `${s3.root}/blobs/${key}` };
        await s3.s3.deleteObject(object);
        if (Body) await s3.s3.putObject({ ...object, Body });
        if (Body?.length) await assert.rejects((async () => bytesOf(await get()))());
        else await readProblem(await get(), 500, 'blob_missing');
        await readProblem(await get({ range: 'bytes=2000000-' }), 500, 'blob_missing');
        await uploadArtefact(server, 'present', { format: 'file', file: PRESENT });
        assert.ok((await bytesOf(await get())).equals(PRESENT));
      }
      await assertTidy(server);
    });
  });
}
