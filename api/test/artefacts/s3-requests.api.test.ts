// How many requests a whole server makes of S3 for an upload, counted on the wire.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startS3Proxy, type S3Proxy } from '../support/s3-proxy.ts';
import { testS3Url } from '../support/s3.ts';
import { assertTidy } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { createUpload, patchUpload } from '../uploads/tus-client.ts';
import { uploaded } from './documents.ts';

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

  /** What is asked of S3 during `work`: `PUT`, `POST uploads`; names and values are left out. */
  async function requestsOf(work: () => Promise<unknown>): Promise<string[]> {
    const before = proxy.calls.length;
    await work();
    const asked = proxy.calls.slice(before).map((call) => call.replace(/ [^?]*\??(x-id=\w+)?/, ' '));
    return asked.map((call) => call.replace(/=.*/, '').trim());
  }

  test('takes a file of one byte, of none and a tarball with one request each', async () => {
    const files = { byte: Buffer.from('x'), none: Buffer.alloc(0), plugin: await npmTarball() };
    for (const [id, file] of Object.entries(files)) {
      const upload = () => uploaded(server, id, { format: id === 'plugin' ? 'npm' : 'file', file });
      assert.deepEqual(await requestsOf(upload), ['PUT']);
    }
    await assertTidy(server);
  });

  test(
    'takes a byte that it has already with three requests: the known object is checked, the new ' + 'one dropped',
    async () => {
      const upload = async (id: string) => {
        await uploaded(server, id, { format: 'file', file: Buffer.from('z') });
        // The superfluous object goes after the answer.
        await assertTidy(server);
      };
      await upload('known');
      assert.deepEqual((await requestsOf(() => upload('again'))).toSorted(), ['DELETE', 'HEAD', 'PUT']);
    },
  );

  test('takes a file of two parts with four requests', async () => {
    const upload = () => uploaded(server, 'long', { format: 'file', file: randomBytes(6 * MIB) });
    const expected = ['POST uploadId', 'POST uploads', 'PUT partNumber', 'PUT partNumber'];
    assert.deepEqual((await requestsOf(upload)).toSorted(), expected);
    await assertTidy(server);
  });

  test('asks for nothing when an upload is refused before its last part', async () => {
    const refused = () => server.upload('refused', { file: randomBytes(1000) });
    assert.deepEqual(
      await requestsOf(async () => {
        assert.equal((await refused()).status, 400);
      }),
      [],
    );
    await assertTidy(server);
  });

  test('takes a resumable upload of one byte with five requests', async () => {
    const upload = async () => {
      const url = await createUpload(server, 'resumable', 1);
      assert.equal((await patchUpload(url, 0, Buffer.from('y'))).status, 204);
    };
    const expected = ['GET', 'GET uploadId', 'POST uploadId', 'POST uploads', 'PUT partNumber'];
    assert.deepEqual((await requestsOf(upload)).toSorted(), expected);
    await assertTidy(server);
  });
});
