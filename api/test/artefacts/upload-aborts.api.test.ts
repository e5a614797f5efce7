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
import { uploadArtefact } from './documents.ts';

const MIB = 1024 * 1024;
const TARBALL = await npmTarball({ files: { data: randomBytes(3 * MIB) } });
const FILE = randomBytes(3 * MIB);

for (const dialect of DIALECTS) {
  describe(`an aborted upload on ${dialect}`, () => {
    let server: TestServer;
    let assertUntouched: () => Promise<void>;

    before(async () => {
      server = await startTestServer({ dialect, env: { MAX_UPLOAD_BYTES: String(8 * MIB) } });
      await uploadArtefact(server, 'present', { file: TARBALL });
      assertUntouched = await rememberStored(server);
    });
    after(() => server.close());

    for (const share of [0.001, 0.1, 0.5, 0.9, 0.9999]) {
      test(`leaves nothing after ${share * 100} % of its bytes`, async () => {
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

    test('leaves nothing after its headers', async () => {
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

    test('leaves nothing when the body ends before the form does', async () => {
      const body = multipartBody([fieldPart('category', 'other'), filePart(TARBALL)], '');
      const response = await fetch(`${server.url}/api/v1/artefacts/npm/new`, {
        method: 'POST',
        headers: { ...server.internal, 'content-type': MULTIPART_TYPE },
        body,
      });
      assert.equal(response.status, 400);
      await assertUntouched();
    });

    test('leaves nothing when twenty are aborted at once', async () => {
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

    test('does not disturb other uploads', async () => {
      const aborted = await beginSlowUpload(server, { id: 'other', file: TARBALL });
      const other = await beginSlowUpload(server, { id: 'other', file: TARBALL });
      await aborted.abandon();
      assert.equal((await other.finish()).status, 201);
      assert.equal((await server.api('DELETE', '/artefacts/other', { headers: server.internal })).status, 204);
      await assertUntouched();
    });

    test('that is too large is rejected long before all of it is sent', async () => {
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

    test('logs nothing but its request', () => {
      assert.deepEqual(server.logs, []);
    });
  });
}
