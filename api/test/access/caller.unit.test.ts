import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accountMatches, accountOf, isUnlimited, uploaderOf, type Account } from '../../src/access/index.ts';
import { ACME, ACME_GEO, ACME_SEA, CALLER_NAMES, CALLERS, UMA, uploadKeyCaller, userCaller } from './callers.ts';

describe('an entry covers an account', () => {
  const cases: [entry: Account, account: Account, covers: boolean, why: string][] = [
    [ACME, ACME, true, 'that it names'],
    [ACME, ACME_GEO, true, 'that is a department of the organisation it names'],
    [ACME_GEO, ACME_GEO, true, 'that is the department it names'],
    [ACME_GEO, ACME, false, 'not when it names a department and the account is the organisation as a whole'],
    [ACME_GEO, ACME_SEA, false, 'not when it names another department'],
    [{ ...ACME, department: '' }, ACME_GEO, true, 'when its department is empty, as when it has none'],
    [{ ...ACME, name: 'Renamed' }, ACME, true, 'whatever the name'],
    [UMA, UMA, true, 'of a user'],
    [UMA, { type: 'organization', id: 'uma' }, false, 'not when an organisation has the id of a user'],
    [ACME, { type: 'organization', id: 'ACME' }, false, 'not when the id is in other letters'],
  ];
  for (const [entry, account, covers, why] of cases)
    test(why, () => {
      assert.equal(accountMatches(entry, account), covers);
    });
});

test('superadmins, and internal services without account, are unlimited, and nobody else', () => {
  assert.deepEqual(
    CALLER_NAMES.filter((name) => isUnlimited(CALLERS[name])),
    ['internal', 'superadmin'],
  );
});

test('an account stands behind users, read keys and internal services that name one', () => {
  assert.deepEqual(
    CALLER_NAMES.filter((name) => accountOf(CALLERS[name]) === undefined),
    ['anonymous', 'internal', 'upload key'],
  );
  assert.equal(accountOf(CALLERS['read key of Acme/geo']), ACME_GEO);
  assert.equal(accountOf(CALLERS['internal for Acme']), ACME);
});

test('an uploader is named by his key, as internal, or as a user', () => {
  assert.deepEqual(uploaderOf(uploadKeyCaller()), { apiKeyId: 'key-1', apiKeyName: 'CI', shortId: 'reg_0000000a' });
  assert.deepEqual(uploaderOf(CALLERS.internal), { internal: true });
  assert.deepEqual(uploaderOf(userCaller()), { userId: 'uma', userName: 'Uma' });
});
