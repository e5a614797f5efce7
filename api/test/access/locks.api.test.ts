// On PostgreSQL, a change that takes a right away and the transaction of a request that needs it wait for each other.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import pg from 'pg';
import { eventually } from '../support/eventually.ts';
import { startMeanwhileApp, type MeanwhileApp, type Person } from './meanwhile-app.ts';
import { createCaller, type CallerKind } from './meanwhile-changes.ts';

interface Case {
  /** A request of which `row` must be locked, after its caller. */
  send(app: MeanwhileApp, person: Person): Promise<Response>;
  row: string;
  /** Statements that take the right away; $1 is the ID of the person or key. */
  changes: Record<string, string>;
}

const FILE = Buffer.from('ten bytes!');
const ENDS_OF_SESSIONS = {
  'a deletion': 'delete from "user" where id = $1',
  'disabling': 'update "user" set banned = true where id = $1',
  'signing out': 'delete from session where "userId" = $1',
};
const CASES: Record<CallerKind, Case> = {
  'a superadmin': {
    send: (app, { headers }) => app.api('PATCH', '/artefacts/it', { headers, body: { deprecated: true } }),
    row: `select 1 from artefacts where id = 'it' for update`,
    changes: { 'a demotion': `update "user" set role = 'user' where id = $1`, ...ENDS_OF_SESSIONS },
  },
  'an admin of acme': {
    send: (app, { id, headers }) =>
      app.api('POST', '/organizations/acme/invitations', {
        headers,
        body: { email: `${id}@acme.example`, role: 'member' },
      }),
    row: `select 1 from organization where id = 'acme' for update`,
    changes: {
      'a demotion': `update member set role = 'member' where "userId" = $1`,
      'a removal': 'delete from member where "userId" = $1',
      ...ENDS_OF_SESSIONS,
    },
  },
  'an upload key': {
    send: (app, { headers }) => app.upload('it', { format: 'file', file: FILE, headers }),
    row: `select 1 from artefacts where id = 'it' for update`,
    changes: {
      'a revocation': 'delete from api_keys where id = $1',
      'a rotation': `update api_keys set hash = 'another ' || id where id = $1`,
    },
  },
};

/** Without the background write of the last use of a key, which may wait for the same row. */
const WAITING = `select count(*) from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock' and query not like '%last_used_at%'`;

describe('a right on PostgreSQL', () => {
  let app: MeanwhileApp;
  let changer: pg.Client;
  let blocker: pg.Client;
  /** Begins no transaction, in which PostgreSQL would show the same statements again and again. */
  let watcher: pg.Client;
  before(async () => {
    app = await startMeanwhileApp('postgres');
    await app.upload('it', { format: 'file', file: FILE });
  });
  beforeEach(async () => {
    [changer, blocker, watcher] = [
      new pg.Client(app.databaseUrl),
      new pg.Client(app.databaseUrl),
      new pg.Client(app.databaseUrl),
    ];
    await Promise.all([changer.connect(), blocker.connect(), watcher.connect()]);
  });
  afterEach(() => Promise.all([changer.end(), blocker.end(), watcher.end()]));
  after(() => app.close());

  /** Waits until this many connections wait for a lock of another one. */
  const waiting = (count: number) =>
    eventually(async () => {
      const { rows } = await watcher.query<{ count: string }>(WAITING);
      assert.equal(Number(rows[0]?.count), count);
    });

  for (const [kind, { send, row, changes }] of Object.entries(CASES) as [CallerKind, Case][]) {
    for (const [name, statement] of Object.entries(changes)) {
      for (const end of ['commit', 'rollback'] as const) {
        test(`${kind}: a request waits for ${name} in progress, up to its ${end}`, async () => {
          const person = await createCaller(app, kind);
          await changer.query('begin');
          await changer.query(statement, [person.id]);
          const answer = send(app, person);
          await waiting(1);
          await changer.query(end);
          const { status } = await answer;
          assert.deepEqual([401, 403].includes(status), end === 'commit', `${status}`);
        });
      }

      test(`${kind}: ${name} waits for the commit of a request that has begun`, async () => {
        const person = await createCaller(app, kind);
        await blocker.query('begin');
        await blocker.query(row);
        const answer = send(app, person);
        await waiting(1);
        const other = new pg.Client(app.databaseUrl);
        await other.connect();
        const changed = other.query(statement, [person.id]);
        await waiting(2);
        await blocker.query('commit');
        assert.ok((await answer).ok);
        assert.equal((await changed).rowCount, 1);
        await other.end();
      });
    }
  }

  test('lets callers change each other without deadlocks', async () => {
    const people = await Promise.all(Array.from({ length: 4 }, () => app.user('admin')));
    const before = app.repeatedTransactions();
    const answers = await Promise.all(
      people.flatMap(({ headers }) =>
        people.map(({ id }) => app.api('PATCH', `/users/${id}`, { headers, body: { name: 'Renamed' } })),
      ),
    );
    assert.ok(answers.every(({ ok }) => ok));
    assert.equal(app.repeatedTransactions(), before);
  });

  test('lets one session change several things at once without deadlocks', async () => {
    const { id, headers } = await app.user('admin');
    const before = app.repeatedTransactions();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => [
        app.api('PUT', '/session/account', { headers, body: { type: 'user', id } }),
        app.api('PATCH', '/artefacts/it', { headers, body: { deprecated: true } }),
        app.api('PATCH', `/users/${id}`, { headers, body: { name: 'Renamed' } }),
        app.api('DELETE', '/sessions', { headers }),
      ]).flat(),
    );
    assert.ok(answers.every(({ ok }) => ok));
    assert.equal(app.repeatedTransactions(), before);
  });
});
