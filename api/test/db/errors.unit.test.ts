import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { sql } from 'kysely';
import { createDatabase, toDatabaseError } from '../../src/db/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  return work().then(() => assert.fail('it succeeded'), (error: unknown) => error);
}

/** Takes a port and gives it back, so that nobody listens there. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a PostgreSQL that refuses connections is unavailable', async () => {
  const database = createDatabase({ url: `postgres://nobody@127.0.0.1:${await closedPort()}/none` });
  assert.equal(toDatabaseError(await failureOf(() => database.check()))?.code, 'database_unavailable');
  await database.close();
});

test('a PostgreSQL that hangs up is unavailable', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const database = createDatabase({ url: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none` });
  assert.equal(toDatabaseError(await failureOf(() => database.check()))?.code, 'database_unavailable');
  await database.close();
  server.close();
});

test('a connection that PostgreSQL ends during a query is told as unavailable, and another one takes its place', async () => {
  const { database, close } = await openTestDatabase('postgres', { migrated: false });
  assert.equal(toDatabaseError(await failureOf(() => sql`select pg_terminate_backend(pg_backend_pid())`.execute(database.db)))?.code, 'database_unavailable');
  await eventually(() => database.check());
  await close();
});

for (const dialect of DIALECTS) {
  test(`a wrong statement on ${dialect} does not mean that the database is unavailable`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    assert.equal(toDatabaseError(await failureOf(() => sql`select * from nowhere`.execute(database.db))), undefined);
    const blob = { digest: 'd', storage_key: 'k', size: 1, state: 'sound', created_at: '' };
    const insert = () => database.db.insertInto('blobs').values(blob).execute();
    await insert();
    assert.equal(toDatabaseError(await failureOf(insert)), undefined);
    await close();
  });
}

test('what is no error of a database is none', () => {
  for (const error of [undefined, 'ECONNREFUSED', new Error('ECONNREFUSED'), Object.assign(new Error('x'), { code: 'ENOENT', syscall: 'open' })]) assert.equal(toDatabaseError(error), undefined);
});
