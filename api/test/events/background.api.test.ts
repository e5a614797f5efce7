// Events of what happens without a request: mirrors, keys that expire, damaged bytes; and of deleted accounts.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createExpiryEvents } from '../../src/api-keys/index.ts';
import { apiKeyRepository } from '../../src/api-keys/repository.ts';
import { recordState } from '../../src/blobs/damage.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS as BOTH } from '../support/test-database.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { startMeanwhileApp } from '../access/meanwhile-app.ts';
import { publish, startPair, type Pair } from '../remotes/pair.ts';
import { checkEvents } from './event-schemas.ts';
import { presentCursor, readAll, type CloudEvent } from './event-readers.ts';
import { HELD_MS, untilReadable } from './outbox-fixture.ts';

const DAY_MS = 86_400_000;
const CONTEXT = {
  signal: new AbortController().signal,
  interrupted: undefined,
  deaths: 0,
  progress: () => undefined,
  assertHeld: () => Promise.resolve(),
};

/** Short texts such as `slot.removed of a`; the subjects of operational events are left out. */
const describeAll = (events: CloudEvent[]) =>
  events.map(({ type, subject, data }) => {
    const name = type.replace('berth.', '');
    if (name === 'mirror.synced') return `${name} ${String(data['updated'])}`;
    if (name === 'mirror.failed') return `${name} ${String(data['code'])}`;
    const slots = data['slots'] ? ` ${Object.keys(data['slots']).join()}` : '';
    const fields = data['fields'] ? ` ${(data['fields'] as string[]).join()}` : '';
    return `${name} of ${subject}${slots}${fields}`;
  });

for (const dialect of DIALECTS) {
  describe(`events of a mirror on ${dialect}`, () => {
    let pair: Pair;
    before(async () => {
      pair = await startPair(dialect);
    });
    after(() => pair.close());
    const edit = (id: string, body: object) =>
      pair.upstream.api('PATCH', `/artefacts/${id}`, { headers: pair.upstream.internal, body });
    /**
     * Compares all events since the start, after each step: a run goes on a moment after its end is visible, so what
     * it should not have written shows at the next step.
     */
    const startExpecting = async () => {
      const after = await presentCursor(pair.mirror, pair.mirror.internal);
      const all: string[] = [];
      return async (work: () => Promise<unknown>, expected: string[]) => {
        await work();
        all.push(...expected);
        await eventually(async () => {
          const events = await readAll(pair.mirror, pair.mirror.internal, { after });
          await checkEvents(pair.mirror, events);
          assert.deepEqual(describeAll(events), all);
        }, HELD_MS);
      };
    };

    test('are those of its artefacts, and of the runs that are news', async () => {
      const { upstream, remote } = pair;
      const expectEvents = await startExpecting();
      await publish(upstream, 'a', '1.0.0', ['x64', 'arm64']);
      await expectEvents(() => remote.select('a'), ['artefact.created of a arm64,x64', 'mirror.synced 1']);
      await expectEvents(() => remote.sync(), []);
      await publish(upstream, 'a', '1.0.1', ['x64']);
      await expectEvents(() => remote.sync(), ['artefact.updated of a x64', 'mirror.synced 1']);
      await edit('a', { title: { en: 'New' }, deprecated: true });
      await expectEvents(
        () => remote.sync(),
        ['artefact.metadata_changed of a title', 'artefact.deprecated of a', 'mirror.synced 1'],
      );
      await upstream.api('DELETE', '/artefacts/a/tarballs/arm64', { headers: upstream.internal });
      await expectEvents(() => remote.sync(), ['slot.removed of a', 'mirror.synced 1']);
      await expectEvents(
        () => remote.ask('DELETE', '/selected-artefacts/a'),
        ['artefact.metadata_changed of a origin'],
      );
    });

    test('tell of a failure once, and of the recovery', async () => {
      const { upstream, remote } = pair;
      const expectEvents = await startExpecting();
      await publish(upstream, 'b', '1.0.0');
      await expectEvents(() => remote.select('b'), ['artefact.created of b noarch', 'mirror.synced 1']);
      const setKey = (apiKey: string) => remote.ask('PATCH', '', { apiKey });
      const failed = ['mirror.failed remote_refused'];
      await expectEvents(async () => {
        await setKey('wrong');
        await remote.sync();
      }, failed);
      await expectEvents(() => remote.sync(), []);
      await expectEvents(async () => {
        await setKey(pair.key);
        await remote.sync();
      }, ['mirror.synced 0']);
      await expectEvents(() => remote.ask('DELETE'), ['artefact.metadata_changed of b origin']);
    });
  });

  describe(`events of deleted accounts on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local' });
    });
    after(() => server.close());

    test('are those of their keys, and of what was shared with them', async () => {
      const headers = await server.superadmin();
      const acme = { type: 'organization', id: 'acme' } as const;
      await server.api('POST', '/organizations', { headers, body: { id: 'acme', name: 'Acme' } });
      await server.readKey(acme);
      await server.readKey({ ...acme, department: 'geo' });
      for (const [id, account] of Object.entries({ shared: acme, other: { type: 'organization', id: 'other' } })) {
        await server.upload(id, { format: 'file', file: Buffer.from(id) });
        await server.api('PATCH', `/artefacts/${id}`, { headers, body: { privateAccess: [account] } });
      }
      const next = await presentCursor(server, server.internal);
      assert.ok((await server.api('DELETE', '/organizations/acme', { headers })).ok);
      const events = await eventually(async () => {
        const found = await readAll(server, server.internal, { after: next });
        assert.equal(found.length, 3);
        return found;
      }, HELD_MS);
      await checkEvents(server, events);
      assert.deepEqual(events.map(({ type }) => type).sort(), [
        'berth.artefact.access_changed',
        'berth.key.revoked',
        'berth.key.revoked',
      ]);
      assert.equal(events.find(({ type }) => type.endsWith('changed'))?.subject, 'shared');
    });
  });
}

for (const dialect of BOTH) {
  test(`events of keys that expire come once, again with a new expiry, never for tokens, on ${dialect}`, async () => {
    const server = await startMeanwhileApp(dialect);
    const { database } = server;
    const run = () => createExpiryEvents({ database, daysBefore: 14 }).run(CONTEXT);
    const expiresIn = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();
    try {
      const next = await presentCursor(server, server.internal);
      const insert = (id: string, days: number) =>
        apiKeyRepository(database.db).insert(
          {
            _id: id,
            type: 'upload',
            name: id,
            shortId: '0000000a',
            createdAt: expiresIn(0),
            expiresAt: expiresIn(days),
          },
          `hash of ${id}`,
        );
      for (const [id, days] of Object.entries({ soon: 13, later: 15, past: -1, token: 1 })) await insert(id, days);
      await database.db.updateTable('api_keys').set({ publisher_id: 'p' }).where('id', '=', 'token').execute();
      // Of two replicas at once, one records it.
      await Promise.all([run(), run()]);
      await run();
      await apiKeyRepository(database.db).rotate('soon', {
        ...{
          hash: 'new',
          shortId: '0000000b',
          at: expiresIn(0),
          previousUntil: expiresIn(0),
          expiresAt: expiresIn(10),
        },
      });
      await run();
      await untilReadable(database);
      const events = await readAll(server, server.internal, { after: next });
      await checkEvents(server, events);
      assert.deepEqual(describeAll(events), ['key.expiring of soon', 'key.expiring of soon']);
      assert.notEqual(events[0]?.data['expiresAt'], events[1]?.data['expiresAt']);
    } finally {
      await server.close();
    }
  });

  test(`events of damage come once for each state, and none once it is sound, on ${dialect}`, async () => {
    const server = await startMeanwhileApp(dialect);
    const { database } = server;
    try {
      const bytes = Buffer.from('bytes');
      for (const id of ['one', 'two']) await server.upload(id, { format: 'file', file: bytes });
      const blob = await database.db
        .selectFrom('blobs')
        .select(['digest', 'storage_key as storageKey'])
        .executeTakeFirstOrThrow();
      assert.equal(blob.digest, digestOf(bytes));
      const mark = (state: 'damaged' | 'missing' | 'sound') =>
        database.transaction((tx) => recordState(tx, blob as never, state));
      await Promise.all([mark('damaged'), mark('damaged'), mark('damaged')]);
      for (const state of ['damaged', 'missing', 'missing', 'sound', 'sound', 'damaged'] as const) await mark(state);
      await untilReadable(database);
      const found = await readAll(server, server.internal, { types: 'storage.' });
      await checkEvents(server, found);
      assert.deepEqual(
        found.map(({ subject, data }) => [subject, data['state'], data['artefacts']]),
        ['damaged', 'missing', 'damaged'].map((state) => [blob.digest, state, ['one', 'two']]),
      );
    } finally {
      await server.close();
    }
  });
}
