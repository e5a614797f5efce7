// Streams of events: they resume without a gap, end with the right to read, and hold for slow and hostile readers.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { eventually } from '../support/eventually.ts';
import { DIALECTS } from '../support/test-database.ts';
import { startMeanwhileApp, type MeanwhileApp } from '../access/meanwhile-app.ts';
import { CHANGES } from '../access/meanwhile-changes.ts';
import { follow, parseMessages, readAll, readPage, type CloudEvent, type Follower } from './event-readers.ts';
import { HELD_MS, untilReadable, write } from './outbox-fixture.ts';

const subjectsOf = ({ events }: { events: CloudEvent[] }) => events.map(({ subject }) => subject);
const ENDS = Object.entries(CHANGES['a superadmin']).filter(([, { keepsSession }]) => !keepsSession);

for (const dialect of DIALECTS) {
  describe(`streams of events on ${dialect}`, () => {
    let app: MeanwhileApp;
    let root: Record<string, string>;
    const errors: unknown[] = [];
    before(async () => {
      const onError = (error: unknown) => void errors.push(error);
      app = await startMeanwhileApp(dialect, { heartbeatMs: 50, onError });
      root = await app.superadmin();
    });
    after(() => app.close());

    let count = 0;
    const fresh = (many: number) => Array.from({ length: many }, () => `e${++count}`);
    const writeAll = (subjects: string[]) => app.database.transaction((tx) => write(tx, ...subjects));
    const until = async ({ events }: Follower, last: string | undefined) =>
      eventually(async () => {
        assert.equal(events.at(-1)?.subject, last);
      }, HELD_MS);
    async function latest(): Promise<string> {
      await untilReadable(app.database);
      return (await readPage(app, root, { after: 'latest' })).next;
    }

    test('begin with their place: now, behind `after`, or behind Last-Event-ID, which counts first', async () => {
      await writeAll(fresh(3));
      const next = await latest();
      const all = await readAll(app, root);
      const cases: [query: Record<string, string>, lastEventId: string | undefined, begin: string][] = [
        [{}, undefined, next],
        [{ after: 'latest' }, undefined, next],
        [{ after: 'oldest' }, undefined, 'oldest'],
        [{ after: all[0]!.id }, undefined, all[0]!.id],
        [{ after: all[0]!.id }, all[1]!.id, all[1]!.id],
        [{ after: 'nothing' }, next, next],
        [{}, 'oldest', 'oldest'],
      ];
      for (const [query, lastEventId, begin] of cases) {
        const follower = await follow(app, root, query, { lastEventId });
        const expected = begin === 'oldest' ? all : all.slice(all.findIndex(({ id }) => id === begin) + 1);
        await eventually(async () => {
          assert.ok(
            follower.text().startsWith(`retry: 2000\n\n: heartbeat ${begin}\nid: ${begin}\n\n`),
            follower.text(),
          );
          assert.deepEqual(follower.events, expected);
        });
        assert.equal(follower.lastId(), next);
        await follower.close();
      }
    });

    test('resume without gap or repetition at whatever byte they are cut', async () => {
      const begin = await latest();
      const written: string[] = [];
      const writing = (async () => {
        for (let round = 0; round < 40; round++) {
          const subjects = fresh(1 + Math.floor(Math.random() * 20));
          await writeAll(subjects);
          written.push(...subjects);
        }
        return 'written';
      })();
      const received: string[] = [];
      let cuts = 0;
      for (let lastEventId = begin, state = ''; state === '' || received.length < written.length; cuts++) {
        const follower = await follow(app, root, {}, { lastEventId });
        const length = Math.floor(Math.random() * 20_000);
        state = await Promise.race([writing, Promise.resolve('')]);
        await eventually(async () => {
          assert.ok(follower.text().length >= length || received.length + follower.events.length === written.length);
        }, HELD_MS);
        await follower.close();
        const rest = received.length + follower.events.length === written.length && cuts > 20;
        const cut = parseMessages(rest ? follower.text() : follower.text().slice(0, length));
        received.push(...subjectsOf(cut));
        lastEventId = cut.lastId ?? lastEventId;
      }
      await writing;
      assert.ok(cuts > 5, `${cuts} cuts`);
      assert.deepEqual(received, written);
    });

    test('move on at heartbeats for a reader who sees none of the events', async () => {
      const { headers } = await app.user('user');
      const follower = await follow(app, headers);
      await writeAll(fresh(5));
      const next = await latest();
      await eventually(async () => {
        assert.equal(follower.lastId(), next);
        assert.match(follower.text(), /: heartbeat/);
      });
      assert.deepEqual(follower.events, []);
      await follower.close();
    });

    for (const [name, { make }] of ENDS)
      test(`end, and are not opened again, once their reader was ${name}`, async () => {
        const [person, other] = [await app.user('admin'), await app.user('admin')];
        const [watched, continued] = [await follow(app, person.headers), await follow(app, other.headers)];
        await make(app, person);
        await watched.ended;
        assert.equal((await follow(app, person.headers)).status, 401);
        const [subject] = fresh(1);
        await writeAll([subject!]);
        await until(continued, subject);
        await continued.close();
      });

    test('lose what only superadmins get, at the next heartbeat after their reader was demoted', async () => {
      const person = await app.user('admin');
      const follower = await follow(app, person.headers);
      await app.upload('open', { format: 'file', file: Buffer.from('x') });
      await app.api('PATCH', '/artefacts/open', { headers: app.internal, body: { public: true } });
      await eventually(async () => {
        assert.equal(follower.events.at(-1)?.type, 'berth.artefact.access_changed');
      }, HELD_MS);
      assert.ok(follower.events.every(({ data }) => 'by' in data));
      await CHANGES['a superadmin']['demoted']!.make(app, person);
      await untilReread(follower);
      const { length } = follower.events;
      await writeAll(fresh(1));
      await app.uploadKey();
      await app.api('PATCH', '/artefacts/open', { headers: app.internal, body: { title: { en: 'x' } } });
      await eventually(async () => {
        assert.deepEqual(follower.events.at(-1)?.data, { fields: ['title'] });
      }, HELD_MS);
      assert.equal(follower.events.length, length + 1);
      await follower.close();
    });

    test('follow the account that their reader chooses, from the next heartbeat on', async () => {
      const person = await app.acmeAdmin();
      const ids = ['for-acme', 'for-person'];
      for (const id of ids) await app.upload(id, { format: 'file', file: Buffer.from(id) });
      const share = (id: string, account: object) =>
        app.api('PATCH', `/artefacts/${id}`, { headers: app.internal, body: { privateAccess: [account] } });
      await share('for-acme', { type: 'organization', id: 'acme' });
      await share('for-person', { type: 'user', id: person.id });
      await untilReadable(app.database);
      const follower = await follow(app, person.headers);
      const touch = async (title: string) => {
        for (const id of ids)
          await app.api('PATCH', `/artefacts/${id}`, { headers: app.internal, body: { title: { en: title } } });
      };
      await touch('One');
      await until(follower, 'for-acme');
      const chosen = { type: 'user', id: person.id };
      await app.api('PUT', '/session/account', { headers: person.headers, body: chosen });
      await untilReread(follower);
      await touch('Two');
      await until(follower, 'for-person');
      assert.deepEqual(subjectsOf(follower), ['for-acme', 'for-person']);
      await follower.close();
    });

    /** Waits for two heartbeats, which read the caller again. */
    async function untilReread(follower: Follower): Promise<void> {
      const { length } = follower.text();
      await eventually(async () => {
        assert.ok(follower.text().slice(length).split(': heartbeat').length > 2);
      });
    }

    test('have headers only for HEAD, and an answer for hostile values before they begin', async () => {
      const head = await app.api('HEAD', '/events/stream', { headers: root });
      assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'text/event-stream']);
      const hostile = ['\0', 'a\0b', 'x'.repeat(301), 'x'.repeat(5000), '\u{fffe}', '%', "' or 1=1"];
      for (const value of hostile)
        for (const name of ['after', 'types', 'artefact']) {
          const follower = await follow(app, root, { [name]: value });
          const { status } = follower;
          await follower.close();
          assert.ok(
            status === 200 ? name === 'artefact' : status < 500,
            `${name}=${JSON.stringify(value)}: ${status}`,
          );
        }
      for (const lastEventId of ['nothing', 'ÿ', "' or 1=1", 'x'.repeat(8000)]) {
        const { status, ended, text } = await follow(app, root, {}, { lastEventId });
        await ended;
        assert.deepEqual([status, text().includes('"events_gone"')], [410, true], lastEventId);
      }
      const empty = await follow(app, root, {}, { lastEventId: '' });
      assert.equal(empty.status, 200);
      await empty.close();
    });

    const rename = (from: string, to: string) =>
      sql.raw(`alter table ${from} rename to ${to}`).execute(app.database.db);
    /** Reads of events fail meanwhile. */
    async function duringOutage(work: () => Promise<unknown>): Promise<void> {
      errors.length = 0;
      await rename('events', 'gone');
      await eventually(async () => {
        assert.equal(errors.length, 1);
      });
      await work();
      await rename('gone', 'events');
    }

    test('end after an outage of the database, and go on without a gap; it is reported once', async () => {
      const followers = [await follow(app, root), await follow(app, root)];
      await duringOutage(async () => {
        for (const follower of followers) await untilReread(follower);
      });
      for (const { ended } of followers) await ended;
      const subjects = fresh(3);
      await writeAll(subjects);
      for (const ended of followers) {
        const follower = await follow(app, root, {}, { lastEventId: ended.lastId() });
        await until(follower, subjects.at(-1));
        assert.deepEqual(subjectsOf(follower), subjects);
        await follower.close();
      }
      assert.equal(errors.length, 1);
    });

    test('end after an outage in which their place was lost, as by a fail-over', { timeout: 30_000 }, async () => {
      await writeAll(fresh(1));
      await untilReadable(app.database);
      const follower = await follow(app, root);
      await duringOutage(() =>
        sql.raw('delete from gone where seq = (select max(seq) from gone)').execute(app.database.db),
      );
      await follower.ended;
      assert.equal((await follow(app, root, {}, { lastEventId: follower.lastId() })).status, 410);
    });
  });
}
