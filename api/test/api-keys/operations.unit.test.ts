import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  checkFields,
  createRawKey,
  creatorOf,
  hashKey,
  isExpired,
  isRawKey,
  scopesOf,
  scopeWarnings,
} from '../../src/api-keys/operations.ts';
import type { NewApiKey } from '../../src/api-keys/schemas.ts';
import { BerthError } from '../../src/errors.ts';
import { ACME, ACME_GEO, CALLERS } from '../access/callers.ts';
import { CATEGORIES } from './api-keys-fixture.ts';

describe('the raw form of a key', () => {
  test('is reg_, the short ID of 8 characters, _ and 64 hexadecimal digits', () => {
    const { rawKey, shortId } = createRawKey();
    assert.match(rawKey, /^reg_[^_]{8}_[0-9a-f]{64}$/);
    assert.match(shortId, /^[^_]{8}$/);
    assert.ok(rawKey.startsWith(`reg_${shortId}_`));
    assert.ok(isRawKey(rawKey));
  });

  test('is different each time', () => {
    assert.equal(new Set(Array.from({ length: 1000 }, () => createRawKey().rawKey)).size, 1000);
  });

  const secret = 'a'.repeat(64);
  const malformed = {
    'nothing': '',
    'another prefix': `key_12345678_${secret}`,
    'a short id that is too short': `reg_1234567_${secret}`,
    'a short id that is too long': `reg_123456789_${secret}`,
    'no secret': 'reg_12345678_',
    'a secret that is too short': `reg_12345678_${secret.slice(1)}`,
    'a secret that is too long': `reg_12345678_${secret}a`,
    'a secret in upper case': `reg_12345678_${secret.toUpperCase()}`,
    'a blank before it': ` reg_12345678_${secret}`,
    'a line break after it': `reg_12345678_${secret}\n`,
    'a NUL in it': `reg_1234567\0_${secret}`,
    'a megabyte': `reg_12345678_${'a'.repeat(1024 * 1024)}`,
  };
  for (const [name, text] of Object.entries(malformed))
    test(`cannot be ${name}`, () => {
      assert.equal(isRawKey(text), false);
    });
});

describe('the hash of a key', () => {
  test('is HMAC-SHA-512 under the salt, in hexadecimal (RFC 4231, test case 2)', () => {
    assert.equal(
      hashKey('what do ya want for nothing?', 'Jefe'),
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554' +
        '9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
    );
  });

  test('differs under another salt', () => {
    assert.notEqual(hashKey('key', 'one'), hashKey('key', 'two'));
  });
});

describe('expiry', () => {
  const now = new Date('2026-03-01T12:00:00.000Z');
  test('a key without expiry never expires', () => {
    assert.equal(isExpired({}, now), false);
  });
  test('a key is valid until one millisecond before its expiry', () => {
    assert.equal(isExpired({ expiresAt: '2026-03-01T12:00:00.001Z' }, now), false);
  });
  test('a key has expired at the exact time of its expiry', () => {
    assert.equal(isExpired({ expiresAt: '2026-03-01T12:00:00.000Z' }, now), true);
  });
  test('a key has expired afterwards', () => {
    assert.equal(isExpired({ expiresAt: '2020-01-01T00:00:00.000Z' }, now), true);
  });
});

test('scopesOf returns only the scopes that are set', () => {
  const key = {
    _id: '1',
    name: 'CI',
    allowedName: 'a@1',
    allowedNamePrefix: 'a',
    allowedPackageName: 'a',
    allowedCategory: 'other',
  };
  assert.deepEqual(scopesOf(key), {
    allowedName: 'a@1',
    allowedNamePrefix: 'a',
    allowedPackageName: 'a',
    allowedCategory: 'other',
  });
  assert.deepEqual(scopesOf({ allowedNamePrefix: '@acme/' }), { allowedNamePrefix: '@acme/' });
  assert.deepEqual(scopesOf({}), {});
});

test('createdBy is the user who creates a key', () => {
  assert.deepEqual(creatorOf(CALLERS.superadmin), { createdBy: { userId: 'uma', userName: 'Uma' } });
  assert.deepEqual(creatorOf(CALLERS.anonymous), {});
});

describe('the fields of a new key', () => {
  const upload = { type: 'upload', name: 'CI' } as const;
  const read = { type: 'read', name: 'mirror' } as const;
  const all = { allowedName: 'a@1', allowedNamePrefix: 'a', allowedPackageName: 'a', allowedCategory: 'other' };

  const accepted: Record<string, NewApiKey> = {
    'an upload key without scopes': upload,
    'an upload key with all scopes': { ...upload, ...all },
    'a read key of an organisation': { ...read, owner: ACME },
    'a read key of a department': { ...read, owner: ACME_GEO },
    'a read key of a user': { ...read, owner: { type: 'user', id: 'uma' } },
  };
  for (const [name, fields] of Object.entries(accepted)) {
    test(`may be ${name}`, () => {
      assert.deepEqual(checkFields(fields, CATEGORIES), fields);
    });
  }

  const refused: Record<string, [fields: NewApiKey, paths: string[]]> = {
    'an upload key with an owner': [{ ...upload, owner: ACME }, ['/owner']],
    'an upload key for an unknown category': [{ ...upload, allowedCategory: 'tileset' }, ['/allowedCategory']],
    'a category in another case': [{ ...upload, allowedCategory: 'Processing' }, ['/allowedCategory']],
    'a read key without owner': [read, ['/owner']],
    'a read key with one scope': [{ ...read, owner: ACME, allowedNamePrefix: '@acme/' }, ['/allowedNamePrefix']],
    'a read key with all scopes and no owner': [
      { ...read, ...all },
      ['/allowedName', '/allowedNamePrefix', '/allowedPackageName', '/allowedCategory', '/owner'],
    ],
    'a leap second as expiry': [{ ...upload, expiresAt: '2016-12-31T23:59:60Z' }, ['/expiresAt']],
  };
  for (const [name, [fields, paths]] of Object.entries(refused)) {
    test(`may not be ${name}`, () => {
      assert.throws(
        () => checkFields(fields, CATEGORIES),
        (error) => {
          assert.ok(error instanceof BerthError);
          assert.equal(error.code, 'api_key_fields_invalid');
          assert.equal(error.status, 400);
          assert.deepEqual(
            error.errors?.map(({ path }) => path),
            paths,
          );
          return true;
        },
      );
    });
  }

  const expiries = {
    '2020-01-01T00:00:00Z': '2020-01-01T00:00:00.000Z',
    '2031-05-06T09:08:07.123456+02:00': '2031-05-06T07:08:07.123Z',
    '2031-05-06': '2031-05-06T00:00:00.000Z',
  };
  for (const [given, normalized] of Object.entries(expiries)) {
    test(`expiresAt ${given} is normalised to ${normalized}`, () => {
      assert.equal(checkFields({ ...upload, expiresAt: given }, CATEGORIES).expiresAt, normalized);
    });
  }
});

test('a prefix that ends within a word is worth a warning, with a name that it also covers', () => {
  for (const [prefix, longer] of [
    ['@acme/foo', '@acme/foos'],
    ['@acme/foo@1', '@acme/foo@10'],
    ['été', 'étés'],
  ] as const) {
    const { warnings } = scopeWarnings({ allowedNamePrefix: prefix });
    assert.equal(warnings?.length, 1);
    assert.ok(warnings[0]?.includes(`such as ${longer}:`), warnings[0]);
    assert.ok(longer.startsWith(prefix));
  }
  for (const prefix of ['@acme/', '@acme/foo@', '@acme/foo-', '@acme/foo.', '@', 'a b '])
    assert.deepEqual(scopeWarnings({ allowedNamePrefix: prefix }), {}, prefix);
  assert.deepEqual(scopeWarnings({ allowedName: '@acme/foo', allowedPackageName: 'foo' }), {});
});
