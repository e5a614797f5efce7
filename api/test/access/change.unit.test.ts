import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { changeAs, isStillAllowed, policy, type Actor, type Caller } from '../../src/access/index.ts';
import { ApiKeyRevokedError, SessionEndedError } from '../../src/access/errors.ts';
import type { Database } from '../../src/db/index.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { CALLERS, userCaller } from './callers.ts';

const SUPERADMIN = userCaller({ isAdmin: true });
const actorOf = (caller: Caller, reload?: Actor['reload']): Actor => ({
  caller,
  ip: '192.0.2.1',
  requestId: 'r',
  reload,
});

describe('a change on behalf of a caller', () => {
  let opened: TestDatabase;
  let database: Database;
  before(async () => {
    opened = await openTestDatabase('sqlite');
    ({ database } = opened);
  });
  after(() => opened.close());

  test('without the right is refused without a transaction', async () => {
    const noDatabase = { transaction: () => assert.fail('a transaction began') };
    const change = changeAs(noDatabase, actorOf(CALLERS.anonymous), policy.editArtefact, () => assert.fail());
    await assert.rejects(change, { code: 'unauthenticated' });
  });

  test('gets the caller as they are in the transaction, and no way to read them again', async () => {
    const renamed = userCaller({ isAdmin: true, user: { id: 'uma', name: 'Uma Two', email: 'uma@acme.example' } });
    const actor = actorOf(SUPERADMIN, (executor) => {
      assert.ok(executor.isTransaction);
      return Promise.resolve(renamed);
    });
    assert.deepEqual(
      await changeAs(database, actor, policy.editArtefact, (_tx, current) => Promise.resolve(current)),
      {
        caller: renamed,
        ip: '192.0.2.1',
        requestId: 'r',
      },
    );
  });

  test('by a caller of whom nothing is stored gets the caller of the request', async () => {
    const actor = actorOf(CALLERS.internal);
    const current = await changeAs(database, actor, policy.editArtefact, (_tx, it) => Promise.resolve(it));
    assert.deepEqual(current.caller, CALLERS.internal);
  });

  test('is refused if the caller has lost the right, and if they cannot be read any more', async () => {
    const refusals: [reload: Actor['reload'], code: string][] = [
      [() => Promise.resolve(userCaller()), 'forbidden'],
      [() => Promise.reject(new SessionEndedError('ended')), 'session_ended'],
      [() => Promise.reject(new ApiKeyRevokedError('revoked')), 'api_key_revoked'],
    ];
    for (const [reload, code] of refusals) {
      const change = changeAs(database, actorOf(SUPERADMIN, reload), policy.editArtefact, () => assert.fail());
      await assert.rejects(change, { code });
    }
  });

  test('reads the caller again if a conflict repeats the transaction', async () => {
    const order: string[] = [];
    const actor = actorOf(SUPERADMIN, () => {
      order.push('caller');
      return Promise.resolve(SUPERADMIN);
    });
    const work = () => {
      order.push('work');
      return order.length < 4
        ? Promise.reject(Object.assign(new Error('deadlock'), { code: '40P01' }))
        : Promise.resolve();
    };
    const lockFirst = () => Promise.resolve(order.push('locks'));
    await changeAs(database, actor, policy.editArtefact, work, { lockFirst });
    assert.deepEqual(order, ['locks', 'caller', 'work', 'locks', 'caller', 'work']);
  });

  test('is still allowed, or not, as of now; other failures are not taken for a refusal', async () => {
    const ask = (reload: Actor['reload']) => isStillAllowed(database, actorOf(SUPERADMIN, reload), policy.seeAudit);
    assert.equal(await ask(undefined), true);
    assert.equal(await ask(() => Promise.resolve(SUPERADMIN)), true);
    assert.equal(await ask(() => Promise.resolve(userCaller())), false);
    assert.equal(await ask(() => Promise.reject(new SessionEndedError('ended'))), false);
    assert.equal(await ask(() => Promise.reject(new ApiKeyRevokedError('revoked'))), false);
    await assert.rejects(
      ask(() => Promise.reject(new Error('the database is unavailable'))),
      /unavailable/,
    );
  });
});
