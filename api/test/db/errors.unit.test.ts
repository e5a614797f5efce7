import assert from 'node:assert/strict';
import { AsyncResource } from 'node:async_hooks';
import { randomInt } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { sql } from 'kysely';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { createDatabase, toDatabaseError } from '../../src/db/index.ts';
import { sampleArtefact } from '../artefacts/samples.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return work().then(
    () => assert.fail('it succeeded'),
    (error: unknown) => error,
  );
}

/** Runs work outside of the caller's transaction, like another request. */
const outside = new AsyncResource('outside');
const inAnotherContext = <T>(work: () => Promise<T>): Promise<T> => outside.runInAsyncScope(work);

test('a PostgreSQL that refuses connections is unavailable', async () => {
  const database = createDatabase({ url: `postgres://nobody@127.0.0.1:${await freePort()}/none` });
  assert.equal(toDatabaseError(await failureOf(() => database.check()))?.code, 'database_unavailable');
  await database.close();
});

test('a PostgreSQL that closes connections is unavailable', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const database = createDatabase({
    url: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`,
  });
  assert.equal(toDatabaseError(await failureOf(() => database.check()))?.code, 'database_unavailable');
  await database.close();
  server.close();
});

test('a connection that PostgreSQL closes during a query fails as unavailable and is replaced', async () => {
  const { database, close } = await openTestDatabase('postgres', { migrated: false });
  assert.equal(
    toDatabaseError(await failureOf(() => sql`select pg_terminate_backend(pg_backend_pid())`.execute(database.db)))
      ?.code,
    'database_unavailable',
  );
  await eventually(() => database.check());
  await close();
});

test('a connection that PostgreSQL closes within a transaction fails only that transaction', async () => {
  const { database, close } = await openTestDatabase('postgres', { migrated: false });
  const failure = await failureOf(() =>
    database.transaction(async (tx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(tx);
      await inAnotherContext(() => sql`select pg_terminate_backend(${rows[0]!.pid}, 5000)`.execute(database.db));
      await sql`select 1`.execute(tx);
    }),
  );
  assert.equal(toDatabaseError(failure)?.code, 'database_unavailable');
  await eventually(() => database.check());
  await close();
});

test('a full disk is reported as such', async () => {
  const { database, close } = await openTestDatabase('sqlite');
  await sql`pragma max_page_count = 1`.execute(database.db);
  const fill = async () => {
    for (let index = 0; ; index++)
      await database.db
        .insertInto('blob_writers')
        .values({ storage_key: `${index}`.padEnd(10_000), state: '', created_at: '', heartbeat_at: '' })
        .execute();
  };
  const error = toDatabaseError(await failureOf(fill));
  assert.equal(error?.code, 'database_full');
  assert.equal(error.status, 507);
  await database.check();
  await close();
});

test('a text that PostgreSQL cannot store is a client error', async () => {
  const { database, close } = await openTestDatabase('postgres');
  const error = toDatabaseError(
    await failureOf(() => database.db.selectFrom('artefacts').select('id').where('id', '=', 'a\0b').execute()),
  );
  assert.equal(error?.code, 'text_invalid');
  await close();
});

test('a name that is too long for an index of PostgreSQL is a client error', async () => {
  const { database, close } = await openTestDatabase('postgres');
  // Random characters: PostgreSQL compresses others.
  const text = Array.from({ length: 2000 }, () => String.fromCodePoint(0x4e00 + randomInt(20_000))).join('');
  const artefact = sampleArtefact({ group: { fr: text, en: text } });
  const error = await failureOf(() => artefactRepository(database.db).insert(artefact, renderDocuments(artefact, [])));
  assert.equal(toDatabaseError(error)?.code, 'text_invalid');
  await close();
});

for (const dialect of DIALECTS) {
  test(`an invalid statement on ${dialect} does not count as an unavailable database`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    assert.equal(toDatabaseError(await failureOf(() => sql`select * from nowhere`.execute(database.db))), undefined);
    const blob = { digest: 'd', storage_key: 'k', size: 1, state: 'sound', created_at: '' };
    const insert = () => database.db.insertInto('blobs').values(blob).execute();
    await insert();
    assert.equal(toDatabaseError(await failureOf(insert)), undefined);
    await close();
  });
}

test('errors that do not come from a database are not converted', () => {
  for (const error of [
    undefined,
    'ECONNREFUSED',
    new Error('ECONNREFUSED'),
    Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open' }),
  ])
    assert.equal(toDatabaseError(error), undefined);
});
