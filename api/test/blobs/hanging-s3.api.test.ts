// An S3 server that accepts connections and says nothing: its processes are stopped. What needs it fails soon, and the
// rest is served.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { times } from '../support/combinations.ts';
import { eventually } from '../support/eventually.ts';
import { createTestBucket, TEST_BUCKET } from '../support/s3.ts';
import { startSwiftCluster, type SwiftCluster } from '../support/swift-cluster.ts';
import { DIALECTS, signIn, startTestServer, type TestServer } from '../support/test-server.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD } from '../support/test-client.ts';

const MIB = 1024 * 1024;
const SMALL = randomBytes(3_000);
/** Sent with one request, which may take long. */
const LARGE = randomBytes(2 * MIB);
const FILES = { small: SMALL, large: LARGE, huge: randomBytes(12 * MIB) };
/** Clients give up after this time; `npm test` may run on a machine that has much else to do. */
const PATIENCE_MS = times({ often: 15_000, seldom: 60_000 });

for (const dialect of DIALECTS) {
  describe(`an S3 server that hangs, with ${dialect}`, () => {
    let cluster: SwiftCluster;
    let server: TestServer;
    before(async () => {
      cluster = await startSwiftCluster();
      await createTestBucket(cluster.url);
      const { origin, username, password } = new URL(cluster.url);
      server = await startTestServer({
        dialect,
        storage: 'fs',
        signIn: 'local',
        env: {
          FILES_STORAGE: 's3',
          S3_ENDPOINT: origin,
          S3_BUCKET: TEST_BUCKET,
          S3_FORCE_PATH_STYLE: 'true',
          S3_REDIRECT: 'false',
          S3_ACCESS_KEY_ID: decodeURIComponent(username),
          S3_SECRET_ACCESS_KEY: password,
          LOG_LEVEL: 'silent',
        },
      });
      for (const id of ['present', 'deleted'])
        assert.equal((await server.upload(id, { format: 'file', file: SMALL })).status, 201);
    });
    after(async () => {
      cluster.become('thaw');
      await server.close();
      await cluster.stop();
    });

    const storageState = async () => {
      const response = await fetch(`${server.url}/api/health/ready`);
      return [response.status, ((await response.json()) as { storage: string }).storage];
    };
    const download = (signal?: AbortSignal) =>
      fetch(`${server.url}/api/v1/artefacts/present/download`, {
        headers: server.internal,
        ...(signal && { signal }),
      });
    const upload = (id: string, file: Buffer, signal?: AbortSignal) => {
      const form = new FormData();
      form.set('file', new Blob([new Uint8Array(file)]), id);
      const url = `${server.url}/api/v1/artefacts/file/${id}`;
      return fetch(url, { method: 'POST', headers: server.internal, body: form, ...(signal && { signal }) });
    };
    const assertUnavailable = async (response: Response) => {
      const { code } = (await response.json()) as { code: string };
      assert.deepEqual(
        [response.status, code, response.headers.get('retry-after')],
        [503, 'storage_unavailable', '5'],
      );
    };

    test('is reported to whoever needs it, while all else is served, and is used again when it answers', async () => {
      cluster.become('freeze');
      await eventually(async () => {
        assert.deepEqual(await storageState(), [200, 'unavailable']);
      });
      const sizes = ['small', 'huge', 'large'] as const;
      const waiting = [
        download(AbortSignal.timeout(PATIENCE_MS)).then(assertUnavailable),
        ...sizes.map((size) => upload(size, FILES[size], AbortSignal.timeout(PATIENCE_MS)).then(assertUnavailable)),
      ];
      const others = Promise.all([
        server.api('GET', '/artefacts', { headers: server.internal }),
        server.api('GET', '/artefacts/present', { headers: server.internal }),
        server.api('PATCH', '/artefacts/present', { headers: server.internal, body: { public: true } }),
        server.api('DELETE', '/artefacts/deleted', { headers: server.internal }),
      ]);
      assert.deepEqual(
        (await others).map(({ status }) => status),
        [200, 200, 200, 204],
      );
      assert.ok((await signIn(server.url, ADMIN_EMAIL, ADMIN_PASSWORD)).cookie);
      assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^berth_storage_up 0$/m);
      await Promise.all(waiting);

      cluster.become('thaw');
      await eventually(async () => {
        assert.deepEqual(await storageState(), [200, 'ok']);
      });
      assert.deepEqual(Buffer.from(await (await download()).arrayBuffer()), SMALL);
      for (const [id, file] of Object.entries(FILES)) assert.equal((await upload(id, file)).status, 201);
      assert.equal((await server.api('GET', '/artefacts/deleted', { headers: server.internal })).status, 404);
    });
  });
}
