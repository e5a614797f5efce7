import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openFiles } from '../blobs/fs-fixture.ts';
import { eventually } from '../support/eventually.ts';
import {
  fieldPart,
  filePart,
  multipartBody,
  MULTIPART_TYPE,
  openConnection,
  requestHead,
} from '../support/raw-http.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { uploaded } from './documents.ts';

const MIB = 1024 * 1024;
const TARBALL = await npmTarball({ files: { data: randomBytes(3 * MIB) } });
const FILE = randomBytes(3 * MIB);

for (const dialect of DIALECTS) {
  describe(`a client that goes away, on ${dialect},`, () => {
    let server: TestServer;
    let assertUntouched: () => Promise<void>;

    before(async () => {
      server = await startTestServer({ dialect, env: { MAX_UPLOAD_BYTES: String(8 * MIB) } });
      await uploaded(server, 'present', { file: TARBALL });
      assertUntouched = await rememberStored(server);
    });
    after(() => server.close());

    for (const share of [0.001, 0.1, 0.5, 0.9, 0.9999]) {
      test(`leaves nothing after ${share * 100} % of its upload`, async () => {
        for (const form of [
          { id: 'new', file: TARBALL },
          { id: 'present', file: TARBALL },
          { id: 'new', format: 'file', file: FILE },
        ] as const) {
          const upload = await beginSlowUpload(server, { ...form, share });
          await upload.abandon();
          await assertUntouched();
        }
      });
    }

    test('leaves nothing when it only announced its upload', async () => {
      const connection = await openConnection(server.url);
      await connection.send(
        requestHead('POST', '/api/v1/artefacts/npm/new', {
          ...server.internal,
          'content-type': MULTIPART_TYPE,
          'content-length': MIB,
          'expect': '100-continue',
        }),
      );
      assert.equal(await connection.interim(), 100);
      connection.end();
      await assertUntouched();
    });

    test('leaves nothing when the body ends without the whole form', async () => {
      const body = multipartBody([fieldPart('category', 'other'), filePart(TARBALL)], '');
      const response = await fetch(`${server.url}/api/v1/artefacts/npm/new`, {
        method: 'POST',
        headers: { ...server.internal, 'content-type': MULTIPART_TYPE },
        body,
      });
      assert.equal(response.status, 400);
      await assertUntouched();
    });

    test('leaves nothing, though twenty go at once', async () => {
      const uploads = await Promise.all(
        Array.from({ length: 20 }, (_value, index) =>
          beginSlowUpload(server, { id: `new-${index}`, file: TARBALL, share: index / 20 }),
        ),
      );
      await Promise.all(uploads.map((upload) => upload.abandon()));
      await assertUntouched();
      if (!server.s3)
        await eventually(async () => assert.deepEqual(await openFiles(join(server.dataDir, 'blobs')), []));
    });

    test('does not disturb the others', async () => {
      const going = await beginSlowUpload(server, { id: 'other', file: TARBALL });
      const staying = await beginSlowUpload(server, { id: 'other', file: TARBALL });
      await going.abandon();
      assert.equal((await staying.finish()).status, 201);
      assert.equal((await server.api('DELETE', '/artefacts/other', { headers: server.internal })).status, 204);
      await assertUntouched();
    });

    test('gets to read that its upload is too large, long before it has sent it', async () => {
      const connection = await openConnection(server.url);
      await connection.send(
        requestHead('POST', '/api/v1/artefacts/file/new', {
          ...server.internal,
          'content-type': MULTIPART_TYPE,
          'content-length': 1024 * MIB,
        }),
      );
      await connection.send(multipartBody([filePart(Buffer.alloc(9 * MIB))], ''));
      const { status, body, headers } = await connection.answer();
      assert.deepEqual(
        [status, (JSON.parse(body) as { code: string }).code, headers['connection']],
        [413, 'upload_too_large', 'close'],
      );
      connection.end();
      await assertUntouched();
    });

    test('leaves nothing in the log but its request', () => {
      assert.deepEqual(server.logs, []);
    });
  });
}
