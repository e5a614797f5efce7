import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { DIALECTS } from '../support/test-database.ts';
import { startTestServer, storageOf, type TestServer } from '../support/test-server.ts';
import { createUpload, creationHeaders, endpointOf, INTERNAL, patchUpload, tusRequest } from './tus-client.ts';

const OF_KEY = 20;
const OF_USER = 50;
const OF_NETWORK = 100;
const TIB = 1024 ** 4;

for (const dialect of DIALECTS) {
  describe(`open resumable uploads on ${dialect}`, () => {
    let server: TestServer;
    let key: Record<string, string>;
    before(async () => {
      server = await startTestServer({
        dialect,
        env: {
          TRUSTED_PROXIES: 'loopback',
          // S3 accepts no such objects.
          ...(storageOf(dialect) === 'fs' && { MAX_UPLOAD_BYTES: String(1000 * TIB) }),
        },
      });
    });
    after(() => server.close());
    beforeEach(async () => {
      await query(server, 'delete from resumable_uploads');
      key = { 'x-api-key': await server.uploadKey() };
    });

    const create = (caller: Record<string, string>, sizeBytes = 10, from = '192.0.2.1', body?: Uint8Array) =>
      tusRequest('POST', endpointOf(server), {
        caller,
        headers: { ...creationHeaders('open', sizeBytes), 'x-forwarded-for': from },
        ...(body && { body }),
      });
    /** Creates this many at once; returns how many were accepted. All others must be refused as too many. */
    async function createMany(count: number, caller: Record<string, string>, from?: (index: number) => string) {
      const responses = await Promise.all(
        Array.from({ length: count }, (_unused, index) => create(caller, 10, from?.(index))),
      );
      let accepted = 0;
      for (const response of responses) {
        if (response.status === 201) accepted += 1;
        else {
          await readProblem(response, 429, 'too_many_uploads');
          assert.equal(response.headers.get('retry-after'), '60');
        }
      }
      return accepted;
    }
    const countRows = async () => (await query(server, 'select id from resumable_uploads')).length;

    test(`are ${OF_KEY} of a key, also when 40 are created at once`, async () => {
      assert.equal(await createMany(40, key), OF_KEY);
      assert.equal(await countRows(), OF_KEY);
      // Another address does not help; another key is not affected.
      await readProblem(await create(key, 10, '198.51.100.7'), 429, 'too_many_uploads');
      assert.equal((await create({ 'x-api-key': await server.uploadKey() })).status, 201);
    });

    test(`are ${OF_USER} of a user, in any session`, async () => {
      const superadmin = await server.superadmin();
      assert.equal(await createMany(OF_USER + 10, superadmin), OF_USER);
    });

    test(`are ${OF_NETWORK} of an address, whoever creates them`, async () => {
      const inOneNetwork = (index: number) => `2001:db8:1:2::${index.toString(16)}`;
      assert.equal(await createMany(OF_NETWORK - 5, INTERNAL, inOneNetwork), OF_NETWORK - 5);
      assert.equal(await createMany(10, key, inOneNetwork), 5);
      await readProblem(await create(INTERNAL, 10, inOneNetwork(999)), 429, 'too_many_uploads');
      assert.equal(await createMany(1, key, () => '2001:db8:1:3::1'), 1);
    });

    test('are those that are neither published nor cancelled nor expired', async () => {
      assert.equal(await createMany(OF_KEY, key), OF_KEY);
      const refused = () => create(key).then((response) => readProblem(response, 429, 'too_many_uploads'));
      await refused();
      const [first, second] = await query<{ id: string }>(server, 'select id from resumable_uploads');
      const urlOf = (id = '') => `${endpointOf(server)}/${id}`;
      assert.equal((await tusRequest('DELETE', urlOf(first?.id), { caller: key })).status, 204);
      assert.equal(await createMany(2, key), 1);
      assert.equal((await patchUpload(urlOf(second?.id), 0, randomBytes(10), key)).status, 204);
      assert.equal(await createMany(2, key), 1);
      await query(
        server,
        `update resumable_uploads set expires_at = '2020-01-01T00:00:00.000Z' where id =
          (select min(id) from resumable_uploads where document is null)`,
      );
      assert.equal(await createMany(2, key), 1);
      // Whatever is sent with its creation is open only for that moment.
      await query(server, 'delete from resumable_uploads where document is null');
      for (let round = 0; round < OF_KEY + 2; round++)
        assert.equal((await create(key, 10, undefined, randomBytes(10))).status, 201);
    });

    test('an upload that is refused leaves nothing behind', async () => {
      const writers = () => query(server, 'select storage_key from blob_writers');
      const before = (await writers()).length;
      assert.equal(await createMany(40, key), OF_KEY);
      assert.equal((await writers()).length, before + OF_KEY);
    });

    if (storageOf(dialect) === 'fs')
      test('announce no more bytes than are free on the disk, together', async () => {
        await readProblem(await create(key, 900 * TIB), 507, 'storage_full');
        await createUpload(server, 'first', 1000, { caller: key });
        await query(server, `update resumable_uploads set size = ${900 * TIB} where artefact_id = 'first'`);
        const problem = await readProblem(await create(key, 1), 507, 'storage_full');
        assert.match(problem.detail, /other open uploads \d{12,} more/);
        // Received bytes are on the disk already.
        await query(server, `update resumable_uploads set received = ${900 * TIB} - 10 where artefact_id = 'first'`);
        assert.equal((await create(key, 1)).status, 201);
      });
  });
}
