import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accountMatches, accountOf, isUnlimited, uploaderOf, type Account } from '../../src/access/index.ts';
import { ACME, ACME_GEO, ACME_SEA, CALLER_NAMES, CALLERS, UMA, uploadKeyCaller, userCaller } from './callers.ts';

describe('an entry matches an account', () => {
  const cases: [entry: Account, account: Account, covers: boolean, why: string][] = [
    [ACME, ACME, true, 'that it names'],
    [ACME, ACME_GEO, true, 'that is a department of the organisation it names'],
    [ACME_GEO, ACME_GEO, true, 'that is the department it names'],
    [ACME_GEO, ACME, false, 'but not the whole organisation if the entry names a department'],
    [ACME_GEO, ACME_SEA, false, 'but not if the entry names another department'],
    [{ ...ACME, department: '' }, ACME_GEO, true, 'if its department is empty, as if it had none'],
    [{ ...ACME, name: 'Renamed' }, ACME, true, 'regardless of the display name'],
    [UMA, UMA, true, 'of a user'],
    [UMA, { type: 'organization', id: 'uma' }, false, 'but not an organisation with the ID of a user'],
    [ACME, { type: 'organization', id: 'ACME' }, false, 'but not if the ID differs in case'],
  ];
  for (const [entry, account, covers, why] of cases)
    test(why, () => {
      assert.equal(accountMatches(entry, account), covers);
    });
});

test('only superadmins and internal services without an account are unlimited', () => {
  assert.deepEqual(
    CALLER_NAMES.filter((name) => isUnlimited(CALLERS[name])),
    ['internal', 'superadmin'],
  );
});

test('users, read keys and internal services with x-account have an account', () => {
  assert.deepEqual(
    CALLER_NAMES.filter((name) => accountOf(CALLERS[name]) === undefined),
    ['anonymous', 'internal', 'upload key'],
  );
  assert.equal(accountOf(CALLERS['read key of Acme/geo']), ACME_GEO);
  assert.equal(accountOf(CALLERS['internal for Acme']), ACME);
});

test('an uploader is recorded as a key, as internal, or as a user', () => {
  assert.deepEqual(uploaderOf(uploadKeyCaller()), { apiKeyId: 'key-1', apiKeyName: 'CI', shortId: '0000000a' });
  assert.deepEqual(uploaderOf(CALLERS.internal), { internal: true });
  assert.deepEqual(uploaderOf(userCaller()), { userId: 'uma', userName: 'Uma' });
});
