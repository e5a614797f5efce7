import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { readDocument } from '../artefacts/documents.ts';
import { digestOf } from '../support/digests.ts';
import { readProblem } from '../support/problems.ts';
import {
  ADMIN_EMAIL,
  ADMIN_PASSWORD,
  DIALECTS,
  signIn,
  startTestServer,
  type TestServer,
} from '../support/test-server.ts';
import { createUpload, INTERNAL, offsetOf, patchUpload, tusRequest } from './tus-client.ts';

const FILE = randomBytes(100_000);

for (const dialect of DIALECTS) {
  describe(`a resumable upload and its callers on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local' });
    });
    after(() => server.close());

    test('shows its result to the uploader, even without permission to read the artefact', async () => {
      const caller = { 'x-api-key': await server.uploadKey() };
      const url = await createUpload(server, 'unreadable', FILE.length, { caller });
      await patchUpload(url, 0, FILE.subarray(0, 1000), caller);
      const before = (await (await fetch(url, { headers: caller })).json()) as Record<string, unknown>;
      assert.deepEqual(
        [before['artefactId'], before['format'], before['size'], before['offset'], before['artefact']],
        ['unreadable', 'file', FILE.length, 1000, undefined],
      );
      assert.equal((await patchUpload(url, 1000, FILE.subarray(1000), caller)).status, 204);
      const after = (await (await fetch(url, { headers: caller })).json()) as {
        offset: number;
        digest: string;
        artefact: { _id: string; digest: string; uploadedBy: { apiKeyName: string } };
      };
      assert.deepEqual(
        [after.offset, after.digest, after.artefact._id, after.artefact.digest, after.artefact.uploadedBy.apiKeyName],
        [FILE.length, digestOf(FILE), 'unreadable', digestOf(FILE), 'CI'],
      );
      assert.equal((await server.api('GET', '/artefacts/unreadable', { headers: caller })).status, 404);
    });

    test('is visible only to its creator', async () => {
      const mine = { 'x-api-key': await server.uploadKey() };
      const url = await createUpload(server, 'mine', FILE.length, { caller: mine });
      await patchUpload(url, 0, FILE.subarray(0, 10), mine);
      for (const caller of [INTERNAL, { 'x-api-key': await server.uploadKey() }, await server.superadmin()]) {
        assert.equal((await tusRequest('HEAD', url, { caller })).status, 404);
        await readProblem(await fetch(url, { headers: caller }), 404, 'upload_not_found');
        await readProblem(await patchUpload(url, 10, FILE.subarray(10), caller), 404, 'upload_not_found');
        await readProblem(await tusRequest('DELETE', url, { caller }), 404, 'upload_not_found');
      }
      await readProblem(await patchUpload(url, 10, FILE, {}), 401, 'unauthenticated');
      const readKey = { 'x-api-key': await server.readKey({ type: 'organization', id: 'acme' }) };
      await readProblem(await patchUpload(url, 10, FILE, readKey), 403, 'forbidden');
      assert.equal(await offsetOf(url, mine), 10);
      assert.equal((await tusRequest('DELETE', url, { caller: mine })).status, 204);
    });

    test('can be continued by another session of its user, but not by a page of another origin', async () => {
      const session = await server.superadmin();
      const url = await createUpload(server, 'session', 10, { caller: session });
      await readProblem(
        await tusRequest('PATCH', url, {
          headers: { 'upload-offset': '0', 'origin': 'https://evil.example' },
          body: FILE.subarray(0, 10),
          caller: session,
        }),
        403,
        'cross_origin',
      );
      const other = await signIn(server.url, ADMIN_EMAIL, ADMIN_PASSWORD);
      assert.notDeepEqual(other, session);
      assert.equal((await patchUpload(url, 0, FILE.subarray(0, 10), other)).status, 204);
      assert.equal((await readDocument(server, 'session')).size, 10);
    });
  });
}
