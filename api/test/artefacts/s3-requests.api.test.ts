// Counts the S3 requests that a server makes for an upload.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startS3Proxy, type S3Proxy } from '../support/s3-proxy.ts';
import { testS3Url } from '../support/s3.ts';
import { assertTidy } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { createUpload, patchUpload } from '../uploads/tus-client.ts';
import { uploadArtefact } from './documents.ts';

const MIB = 1024 * 1024;

describe('a server on S3', () => {
  let proxy: S3Proxy;
  let server: TestServer;
  before(async () => {
    proxy = await startS3Proxy(await testS3Url());
    server = await startTestServer({ dialect: 'sqlite', storage: 's3', env: { S3_ENDPOINT: proxy.url } });
  });
  after(async () => {
    await server.close();
    await proxy.close();
  });

  /** Returns the S3 requests during `work`, such as `PUT` or `POST uploads`, without keys and values. */
  async function requestsOf(work: () => Promise<unknown>): Promise<string[]> {
    const before = proxy.calls.length;
    await work();
    const requests = proxy.calls.slice(before).map((call) => call.replace(/ [^?]*\??(x-id=\w+)?/, ' '));
    return requests.map((call) => call.replace(/=.*/, '').trim());
  }

  test('stores a file of one byte, an empty file and a tarball with one request each', async () => {
    const files = { byte: Buffer.from('x'), none: Buffer.alloc(0), plugin: await npmTarball() };
    for (const [id, file] of Object.entries(files)) {
      const upload = () => uploadArtefact(server, id, { format: id === 'plugin' ? 'npm' : 'file', file });
      assert.deepEqual(await requestsOf(upload), ['PUT']);
    }
    await assertTidy(server);
  });

  test('receives bytes that are already stored with three requests: PUT, HEAD of the old object, DELETE', async () => {
    const upload = async (id: string) => {
      await uploadArtefact(server, id, { format: 'file', file: Buffer.from('z') });
      // The duplicate object is deleted after the response.
      await assertTidy(server);
    };
    await upload('known');
    assert.deepEqual((await requestsOf(() => upload('again'))).toSorted(), ['DELETE', 'HEAD', 'PUT']);
  });

  test('stores a file of two parts with four requests', async () => {
    const upload = () => uploadArtefact(server, 'long', { format: 'file', file: randomBytes(6 * MIB) });
    const expected = ['POST uploadId', 'POST uploads', 'PUT partNumber', 'PUT partNumber'];
    assert.deepEqual((await requestsOf(upload)).toSorted(), expected);
    await assertTidy(server);
  });

  test('makes no request if an upload is rejected before its last part', async () => {
    const upload = () => server.upload('rejected', { file: randomBytes(1000) });
    assert.deepEqual(
      await requestsOf(async () => {
        assert.equal((await upload()).status, 400);
      }),
      [],
    );
    await assertTidy(server);
  });

  test('stores a resumable upload of one byte with five requests', async () => {
    const upload = async () => {
      const url = await createUpload(server, 'resumable', 1);
      assert.equal((await patchUpload(url, 0, Buffer.from('y'))).status, 204);
    };
    const expected = ['GET', 'GET uploadId', 'POST uploadId', 'POST uploads', 'PUT partNumber'];
    assert.deepEqual((await requestsOf(upload)).toSorted(), expected);
    await assertTidy(server);
  });
});
