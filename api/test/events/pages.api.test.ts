// Pages of events: cursors, filters, bounds of work, and the retention.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createEvents } from '../../src/events/index.ts';
import type { Headers } from '../support/people.ts';
import { readProblem } from '../support/problems.ts';
import { DIALECTS } from '../support/test-database.ts';
import { startMeanwhileApp, type MeanwhileApp } from '../access/meanwhile-app.ts';
import { getPage, readAll, readPage, type Query } from './event-readers.ts';
import { untilReadable, write } from './outbox-fixture.ts';

const DAY_MS = 86_400_000;
/** Events of a bulk that one statement inserts. */
const ROWS_AT_ONCE = 500;
const subjectsOf = (events: { subject: string }[]) => events.map(({ subject }) => subject);
const numbered = (count: number) => Array.from({ length: count }, (_, at) => `e${at}`);

for (const dialect of DIALECTS) {
  describe(`pages of events on ${dialect}`, () => {
    let app: MeanwhileApp;
    let root: Headers;
    let member: Headers;
    before(async () => {
      app = await startMeanwhileApp(dialect);
      root = await app.superadmin();
      member = (await app.user('user')).headers;
    });
    after(() => app.close());
    beforeEach(async () => {
      await app.database.db.deleteFrom('events').execute();
    });

    const page = (query?: Query, headers = root) => readPage(app, headers, query);
    async function writeAll(...subjects: string[]): Promise<void> {
      await app.database.transaction((tx) => write(tx, ...subjects));
      await untilReadable(app.database);
    }
    /** Inserts events of nobody's artefacts. */
    async function writeMany(count: number, ageDays = 0): Promise<void> {
      const time = new Date(Date.now() - ageDays * DAY_MS).toISOString();
      for (let at = 0; at < count; at += ROWS_AT_ONCE)
        await app.database.db
          .insertInto('events')
          .values(
            Array.from({ length: Math.min(ROWS_AT_ONCE, count - at) }, (_, n) => ({
              id: randomUUID(),
              type: 'artefact.updated',
              subject: `many-${ageDays}-${at + n}`,
              time,
              data: '{}',
              actor: null,
              audience: null,
            })),
          )
          .execute();
      await untilReadable(app.database);
    }

    test('of an empty outbox are empty, and their cursors go on with what comes', async () => {
      for (const after of ['oldest', 'latest'])
        assert.deepEqual(await page({ after }), { results: [], next: 'oldest' });
      await writeAll('first');
      assert.deepEqual(subjectsOf((await page({ after: 'oldest' })).results), ['first']);
    });

    test('of any size have each event once, in order; `next` equals `after` only at the end', async () => {
      await writeAll(...numbered(25));
      for (const size of [1, 2, 7, 24, 25, 26, 1000]) {
        const read: string[] = [];
        let after = 'oldest';
        for (let pages = 0; read.length < 25; pages++) {
          const { results, next } = await page({ after, size });
          assert.ok(results.length > 0 && results.length <= size && pages < 25);
          assert.equal(next, results.at(-1)?.id);
          read.push(...subjectsOf(results));
          after = next;
        }
        assert.deepEqual(read, numbered(25));
        assert.deepEqual(await page({ after, size }), { results: [], next: after });
      }
      assert.equal((await page()).results.length, 25);
      await writeMany(100);
      assert.equal((await page()).results.length, 100);
    });

    test('of size 0 skip nothing', async () => {
      await writeAll('a', 'b');
      const { results, next } = await page({ size: 0 });
      assert.deepEqual(results, []);
      assert.deepEqual(subjectsOf((await page({ after: next })).results), ['a', 'b']);
    });

    test('go on behind any event, also one that the caller may not see, and behind the present end', async () => {
      await writeAll(...numbered(4));
      const { results, next } = await page();
      for (const [at, { id }] of results.entries())
        assert.deepEqual(subjectsOf((await page({ after: id })).results), numbered(4).slice(at + 1));
      assert.deepEqual(await page({ after: 'latest' }), { results: [], next });
      // Nobody but the unlimited sees the artefacts of these events, which never existed.
      assert.deepEqual(await page({ after: results[1]!.id }, member), { results: [], next });
    });

    test('behind an unknown cursor are gone', async () => {
      await writeAll('one');
      const { next } = await page();
      for (const after of [
        randomUUID(),
        'Latest',
        `${next} `,
        next.toUpperCase(),
        '1',
        "' or 1=1",
        '%',
        'ÿ',
        '\u{1f980}',
      ])
        await readProblem(await getPage(app, root, { after }), 410, 'events_gone');
      assert.equal((await page({ after: '' })).results.length, 1);
    });

    test('are refused for hostile values, and never fail', async () => {
      const hostile = ['\0', 'a\0b', 'x'.repeat(301), 'x'.repeat(5000), '\u{fffe}'];
      for (const value of hostile)
        for (const name of ['after', 'types', 'artefact']) {
          const { status } = await getPage(app, root, { [name]: value });
          assert.ok(status === 200 || (status >= 400 && status < 500), `${name}=${JSON.stringify(value)}: ${status}`);
        }
      for (const query of ['after=a&after=b', 'colour=red', 'after[x]=1', 'size=1&size=2'])
        assert.ok((await app.api('GET', `/events?${query}`, { headers: root })).status < 500, query);
    });

    test('of types take them with and without prefix, by their beginning, and know no others', async () => {
      await writeAll('deleted');
      const deleted = [
        'artefact.deleted',
        'berth.artefact.deleted',
        'artefact.',
        'berth.artefact.',
        'berth.',
        ' artefact.deleted ',
        'slot.removed,artefact.deleted',
        ',artefact.,',
        '',
        ',',
      ];
      for (const types of deleted) assert.equal((await page({ types })).results.length, 1, types);
      for (const types of ['slot.', 'artefact.created', 'key.', 'berth.mirror.,storage.'])
        assert.equal((await page({ types })).results.length, 0, types);
      for (const types of [
        ['slot.', 'artefact.'],
        ['key.', 'artefact.deleted'],
      ])
        assert.equal((await page({ types })).results.length, 1, String(types));
      for (const types of [
        'artefact',
        'deleted',
        '.',
        'Artefact.',
        'berth',
        'berth.berth.',
        'constructor',
        '*',
        'artefact.*',
        'artefact.deleted,x',
      ])
        await readProblem(await getPage(app, root, { types }), 400, 'event_type_unknown');
    });

    test('of named artefacts have their events alone, of up to 100', async () => {
      await writeAll(...numbered(150), ...numbered(3));
      assert.deepEqual(subjectsOf((await page({ artefact: 'e1' })).results), ['e1', 'e1']);
      const many = numbered(100).reverse();
      assert.deepEqual(subjectsOf(await readAll(app, root, { artefact: many, size: 9 })), [
        ...numbered(100),
        ...numbered(3),
      ]);
      await readProblem(await getPage(app, root, { artefact: numbered(101) }), 400, 'request_invalid');
      const { next } = await page({ after: 'latest' });
      assert.deepEqual(await page({ artefact: 'nothing' }), { results: [], next });
    });

    test('of one event among 12,000 of others take bounded work each, and `next` moves on', async () => {
      const id = 'visible';
      await writeMany(6_000);
      await app.upload(id, { format: 'file', file: Buffer.from('x') });
      await app.api('PATCH', `/artefacts/${id}`, { headers: app.internal, body: { public: true } });
      await writeMany(6_000);
      const found: string[] = [];
      let pages = 0;
      for (let after = 'oldest', isAtEnd = false; !isAtEnd; pages++) {
        const { results, next } = await page({ after }, member);
        found.push(...subjectsOf(results));
        isAtEnd = next === after;
        after = next;
      }
      assert.deepEqual(found, [id, id]);
      assert.ok(pages >= 4 && pages <= 5, `${pages} pages`);
      // By its artefact, at once.
      assert.equal((await page({ artefact: id }, member)).results.length, 2);
    });

    describe('after the retention', () => {
      const context = (progress: (rows: number) => void = () => undefined) => ({
        signal: new AbortController().signal,
        progress,
        interrupted: undefined,
        deaths: 0,
        assertHeld: () => Promise.resolve(),
      });
      const prune = async (progress?: (rows: number) => void) => {
        const options = { database: app.database, publicUrl: '', retentionDays: 30, onError: console.error };
        return createEvents(options).pruning.run(context(progress));
      };

      test('begin with the oldest that is kept; cursors of those before are gone', async () => {
        await writeMany(1_200, 30.1);
        await writeMany(2, 29.9);
        const old = await readAll(app, root, { size: 1000 });
        const reports: number[] = [];
        assert.equal(await prune((rows) => void reports.push(rows)), 1_200);
        assert.ok(reports.length > 1, 'in batches');
        const kept = await readAll(app, root);
        assert.deepEqual(kept, old.slice(1_200));
        for (const at of [0, 600, 1_199])
          await readProblem(await getPage(app, root, { after: old[at]!.id }), 410, 'events_gone');
        assert.deepEqual((await page({ after: kept[0]!.id })).results, kept.slice(1));
        assert.equal(await prune(), 0);
      });

      test('keep the newest event, whose cursor tells that nothing was missed', async () => {
        await writeMany(5, 100);
        const { next } = await page();
        assert.equal(await prune(), 4);
        assert.deepEqual(await page({ after: next }), { results: [], next });
        await writeAll('new');
        assert.deepEqual(subjectsOf((await page({ after: next })).results), ['new']);
        assert.equal(await prune(), 1);
        await readProblem(await getPage(app, root, { after: next }), 410, 'events_gone');
      });
    });
  });
}
