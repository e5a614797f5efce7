import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { createTransferCounts } from '../../src/artefacts/transfer-counts.ts';
import { eventually } from '../support/eventually.ts';
import { jobContext } from '../support/job-context.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  describe(`transfer counts on ${dialect}`, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openTestDatabase(dialect);
    });
    afterEach(() => opened.database.db.deleteFrom('daily_transfers').execute());
    after(() => opened.close());

    const create = (flushMs?: number) =>
      createTransferCounts({
        database: opened.database,
        onError: (error) => {
          throw error;
        },
        ...(flushMs !== undefined && { flushMs }),
      });
    const rows = async () =>
      (await opened.database.db.selectFrom('daily_transfers').selectAll().orderBy('artefact_id').execute()).map(
        (row) => ({ ...row, day: '' }),
      );

    test('are written in batches, one row per day and artefact', async () => {
      const counts = create(10);
      counts.countUpload('a', 100);
      for (let count = 0; count < 1000; count++) counts.countDownload('a', 7);
      counts.countDownload('b', 3);
      await eventually(async () => {
        assert.deepEqual(await rows(), [
          { day: '', artefact_id: 'a', uploads: 1, uploaded_bytes: 100, downloads: 1000, downloaded_bytes: 7000 },
          { day: '', artefact_id: 'b', uploads: 0, uploaded_bytes: 0, downloads: 1, downloaded_bytes: 3 },
        ]);
      });
      counts.countDownload('b', 3);
      await eventually(async () => {
        assert.equal((await rows())[1]?.downloads, 2);
      });
    });

    test('of all replicas add up, in any order of writes', async () => {
      const replicas = [create(), create(), create()];
      const ids = Array.from({ length: 50 }, (_, index) => `artefact-${index}`);
      for (const [index, replica] of replicas.entries()) {
        for (const id of index % 2 ? ids : ids.toReversed()) replica.countDownload(id, 2 ** 40);
      }
      await Promise.all(replicas.map((replica) => replica.close()));
      const written = await rows();
      assert.equal(written.length, ids.length);
      for (const row of written) assert.deepEqual([row.downloads, row.downloaded_bytes], [3, 3 * 2 ** 40]);
      assert.deepEqual(
        (await create().byDay({ days: 1 })).map(({ downloads, downloadedBytes }) => [downloads, downloadedBytes]),
        [[150, 150 * 2 ** 40]],
      );
    });

    test('stay in memory until they are read or closed', async () => {
      const counts = create();
      // The first of a pause is written at once.
      counts.countUpload('first', 1);
      await counts.byDay({ days: 1 });
      counts.countUpload('a', 5);
      assert.deepEqual(
        (await rows()).map((row) => row.artefact_id),
        ['first'],
      );
      const [today, ...others] = await counts.byDay({ days: 1 });
      assert.deepEqual([today?.uploads, today?.uploadedBytes, others], [2, 6, []]);
      counts.countUpload('a', 5);
      await counts.close();
      assert.equal((await rows())[0]?.uploads, 2);
    });

    test('that cannot be written are reported, and block nothing', async () => {
      const errors: unknown[] = [];
      const closed = await openTestDatabase(dialect);
      const counts = createTransferCounts({ database: closed.database, onError: (error) => errors.push(error) });
      await closed.close();
      counts.countDownload('a', 1);
      await counts.close();
      assert.equal(errors.length, 1);
    });

    test('of months that ended more than 400 days ago are summed by month, in batches, and only once', async () => {
      const { db } = opened.database;
      const artefacts = Array.from({ length: 30 }, (_unused, n) => `artefact-${n}`);
      const dayAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
      const days = Array.from({ length: 500 }, (_unused, n) => dayAgo(n));
      const rowsOf = (day: string) =>
        artefacts.map((artefact_id) => ({
          day,
          artefact_id,
          uploads: 1,
          uploaded_bytes: 10,
          downloads: 2,
          downloaded_bytes: 2 ** 40,
        }));
      for (const day of days) await db.insertInto('daily_transfers').values(rowsOf(day)).execute();
      const firstKept = `${dayAgo(400).slice(0, 7)}-01`;
      const compacted = days.filter((day) => day < firstKept);
      assert.ok(compacted.length > 50);

      const counts = create();
      const stopping = new AbortController();
      const interrupted = counts.compaction.run(
        jobContext<number>({ signal: stopping.signal, progress: () => stopping.abort() }),
      );
      await assert.rejects(async () => interrupted, { name: 'AbortError' });
      await counts.compaction.run(jobContext<number>());
      assert.equal(await counts.compaction.run(jobContext<number>()), 0);

      const months = Object.entries(Object.groupBy(compacted, (day) => day.slice(0, 7)));
      const sums = (count: number) => ({
        uploads: count,
        uploadedBytes: 10 * count,
        downloads: 2 * count,
        downloadedBytes: 2 ** 40 * count,
      });
      const expected = (perDay: number) =>
        months.map(([month, all]) => ({ month, ...sums((all?.length ?? 0) * perDay) }));
      assert.deepEqual(await counts.byMonth(), expected(artefacts.length));
      assert.deepEqual(await counts.byMonth('artefact-7'), expected(1));
      assert.equal((await counts.byDay({ days: 500 })).length, days.length - compacted.length);
    });
  });
}
