import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { createCallers, type CallerName } from '../support/callers.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, uploadArtefact } from './documents.ts';

interface Day {
  day: string;
  uploads: number;
  uploadedBytes: number;
  downloads: number;
  downloadedBytes: number;
}
interface Stats {
  artefacts: number;
  slots: number;
  blobs: number;
  storedBytes: number;
  referredBytes: number;
  results: Day[];
}

const NOTHING = { uploads: 0, uploadedBytes: 0, downloads: 0, downloadedBytes: 0 };
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

for (const dialect of DIALECTS) {
  describe(`statistics on ${dialect}`, () => {
    let server: TestServer;
    let file: Buffer;
    before(async () => {
      server = await startTestServer({ dialect });
      file = await npmTarball();
    });
    after(() => server.close());

    const stats = async (search = '', of = server): Promise<Stats> => {
      const response = await of.api('GET', `/stats${search}`, { headers: await of.superadmin() });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      return JSON.parse(text) as Stats;
    };
    /** Reads the counts of one artefact, of all days. */
    const countsOf = async (id: string, of = server) =>
      (await stats(`?artefact=${encodeURIComponent(id)}`, of)).results.map(
        ({ uploads, uploadedBytes, downloads, downloadedBytes }) => ({
          uploads,
          uploadedBytes,
          downloads,
          downloadedBytes,
        }),
      );
    const get = async (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') => {
      const response = await server.api(method, artefactPath(id, rest), {
        headers: { ...server.internal, ...headers },
      });
      await response.arrayBuffer();
      return response;
    };

    test('count accepted uploads with their bytes, and no rejected ones', async () => {
      const id = '@acme/up loads@1';
      await uploadArtefact(server, id, { file });
      await uploadArtefact(server, id, { file, fields: { architecture: 'x64' } });
      assert.equal((await server.upload(id, { file: Buffer.from('no tarball') })).status, 400);
      assert.equal((await server.upload(id, { file, headers: {} })).status, 401);
      assert.deepEqual(await countsOf(id), [{ ...NOTHING, uploads: 2, uploadedBytes: 2 * file.length }]);
    });

    test('count downloads with their bytes, and only the first range of one', async () => {
      await uploadArtefact(server, 'down', { file });
      const { headers } = await get('down', '/tarball');
      await get('down', '/download');
      assert.deepEqual(await countsOf('down'), [
        { uploads: 1, uploadedBytes: file.length, downloads: 2, downloadedBytes: 2 * file.length },
      ]);
      const etag = headers.get('etag') ?? '';
      const statuses = [
        await get('down', '/tarball', {}, 'HEAD'),
        await get('down', '/tarball', { 'if-none-match': etag }),
        await get('down', '/tarball', { range: `bytes=${file.length}-` }),
        await get('down', '/tarball', { range: 'bytes=100-' }),
        await get('down', '/tarball', { range: 'bytes=-10' }),
        await get('down', '/tarball?architecture=X64'),
      ].map(({ status }) => status);
      assert.deepEqual(statuses, [200, 304, 416, 206, 206, 400]);
      assert.equal((await server.api('GET', artefactPath('down', '/tarball'))).status, 404);
      assert.deepEqual((await countsOf('down'))[0]?.downloads, 2);
      assert.equal((await get('down', '/tarball', { range: 'bytes=0-99' })).status, 206);
      assert.deepEqual(await countsOf('down'), [
        { uploads: 1, uploadedBytes: file.length, downloads: 3, downloadedBytes: 2 * file.length + 100 },
      ]);
    });

    test('count file artefacts too, and have no rows without transfers', async () => {
      await uploadArtefact(server, 'raw', { format: 'file', file: Buffer.from('12345') });
      await get('raw', '/download');
      assert.deepEqual(await countsOf('raw'), [{ uploads: 1, uploadedBytes: 5, downloads: 1, downloadedBytes: 5 }]);
      assert.deepEqual(await countsOf('unknown'), []);
    });

    test('sum all artefacts by day, latest first, over the requested number of days', async () => {
      const rows = [
        [1, 'a'],
        [1, 'b'],
        [29, 'a'],
        [30, 'a'],
        [400, 'a'],
      ].map(([days, id]) => `('${daysAgo(Number(days))}', 'old-${id}', 1, 1000, 2, 2000)`);
      await query(
        server,
        'insert into daily_transfers (day, artefact_id, uploads, uploaded_bytes, downloads, downloaded_bytes) ' +
          `values ${rows.join(', ')}`,
      );
      const once = { uploads: 1, uploadedBytes: 1000, downloads: 2, downloadedBytes: 2000 };
      const { results } = await stats();
      assert.deepEqual(results.slice(1), [
        { day: daysAgo(1), uploads: 2, uploadedBytes: 2000, downloads: 4, downloadedBytes: 4000 },
        { day: daysAgo(29), ...once },
      ]);
      assert.equal(results[0]?.day, daysAgo(0));
      const daysOf = async (search: string) => (await stats(search)).results.map(({ day }) => day);
      assert.deepEqual(await daysOf('?days=1'), [daysAgo(0)]);
      assert.deepEqual(await daysOf('?days=2'), [daysAgo(0), daysAgo(1)]);
      assert.deepEqual(await daysOf('?days=31&artefact=old-a'), [daysAgo(1), daysAgo(29), daysAgo(30)]);
      assert.deepEqual(await daysOf('?days=3660&artefact=old-a'), [
        daysAgo(1),
        daysAgo(29),
        daysAgo(30),
        daysAgo(400),
      ]);
    });

    test('report stored bytes, with and without deduplication', async () => {
      const before = await stats();
      const growth = async () => {
        const { artefacts, slots, blobs, storedBytes, referredBytes } = await stats();
        return [
          artefacts - before.artefacts,
          slots - before.slots,
          blobs - before.blobs,
          storedBytes - before.storedBytes,
          referredBytes - before.referredBytes,
        ];
      };
      const shared = await npmTarball({ name: 'shared' });
      const bytes = shared.length;
      await uploadArtefact(server, 'shared', { file: shared, fields: { architecture: 'x64' } });
      await uploadArtefact(server, 'shared', { file: shared, fields: { architecture: 'arm64' } });
      assert.deepEqual(await growth(), [1, 2, 1, bytes, 2 * bytes]);
      await uploadArtefact(server, 'also-shared', { format: 'file', file: shared });
      assert.deepEqual(await growth(), [2, 3, 1, bytes, 3 * bytes]);
      assert.equal((await server.api('DELETE', artefactPath('shared'), { headers: server.internal })).status, 204);
      assert.deepEqual((await growth()).slice(0, 2), [1, 1]);
      assert.equal((await countsOf('shared'))[0]?.uploads, 2);
    });

    test('reject an invalid number of days and unknown parameters', async () => {
      const headers = await server.superadmin();
      for (const search of [
        'days=0',
        'days=-1',
        'days=3661',
        'days=many',
        'day=1',
        'days=1&days=2',
        'artefact=a&artefact=b',
        'q=a',
      ]) {
        await readProblem(await server.api('GET', `/stats?${search}`, { headers }), 400, 'request_invalid');
      }
    });

    test('are visible to superadmins only', async () => {
      for (const [who, headers] of Object.entries(await createCallers(server)) as [
        CallerName,
        Record<string, string>,
      ][]) {
        const response = await server.api('GET', '/stats', { headers });
        if (who === 'a superadmin') assert.equal(response.status, 200);
        else
          await readProblem(
            response,
            who === 'anonymous' ? 401 : 403,
            who === 'anonymous' ? 'unauthenticated' : 'forbidden',
          );
      }
    });
  });

  test(`statistics on ${dialect} survive a restart of the server`, async (t) => {
    const database = dialect === 'postgres' ? await createTestDatabaseUrl() : undefined;
    t.after(() => database?.drop());
    const first = await startTestServer({ dialect, ...(database && { env: { DATABASE_URL: database.url } }) });
    const { dataDir } = first;
    await uploadArtefact(first, 'kept', { format: 'file', file: Buffer.from('12345') });
    await first.server.close();
    const second = await startTestServer({
      dialect,
      dataDir,
      ...(database && { env: { DATABASE_URL: database.url } }),
    });
    t.after(async () => {
      await second.close();
      await rm(dataDir, { recursive: true });
    });
    const response = await second.api('GET', '/stats?artefact=kept', { headers: await second.superadmin() });
    const { results } = (await response.json()) as Stats;
    assert.deepEqual(
      results.map(({ uploads, uploadedBytes }) => [uploads, uploadedBytes]),
      [[1, 5]],
    );
  });
}
