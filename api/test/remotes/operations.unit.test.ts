import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createCipher } from '../../src/remotes/cipher.ts';
import {
  defaultSchedule,
  hasShrunk,
  nextRun,
  normaliseUrl,
  retryDelayMs,
  shortIdOf,
} from '../../src/remotes/operations.ts';

test('a URL has one normalised form', () => {
  for (const url of [
    'https://example.org/registry',
    'https://example.org/registry/',
    'HTTPS://EXAMPLE.org:443/registry//',
  ])
    assert.equal(normaliseUrl(url), 'https://example.org/registry');
});

test('the short id of a key is its first part, else its first twelve characters', () => {
  assert.deepEqual(
    [shortIdOf('reg_3fa94c12_0123456789abcdef'), shortIdOf('another-kind-of-key'), shortIdOf('short')],
    ['reg_3fa94c12', 'another-kind', 'short'],
  );
});

test('the default schedule is daily, stable for a URL, and spread over the day', () => {
  const schedules = Array.from({ length: 50 }, (_unused, index) =>
    defaultSchedule(`https://registry-${index}.example.org`),
  );
  assert.equal(defaultSchedule('https://registry-0.example.org'), schedules[0]);
  assert.ok(new Set(schedules.map((schedule) => schedule.split(' ')[1])).size > 10);
  const [first = ''] = schedules;
  const once = nextRun(first, new Date('2026-01-01T00:00:00.000Z'))!;
  assert.equal(nextRun(first, once)!.getTime() - once.getTime(), 24 * 3_600_000);
});

test('the retry delay doubles with each failure, up to a limit', () => {
  assert.deepEqual(
    [1, 2, 3].map((attempts) => retryDelayMs(attempts, 0.5)),
    [60_000, 120_000, 240_000],
  );
  assert.equal(retryDelayMs(60, 0.5), 6 * 3_600_000);
  assert.ok(retryDelayMs(1, 0) < retryDelayMs(1, 1));
});

test('a list has shrunk when more than half of it is gone', () => {
  assert.deepEqual(
    [
      [10, 5],
      [10, 4],
      [2, 1],
      [3, 1],
      [1, 0],
      [0, 0],
    ].map(([before = 0, now = 0]) => hasShrunk(before, now)),
    [false, true, false, true, false, false],
  );
});

describe('an encrypted key', () => {
  const cipher = createCipher('a password of 32 characters or more');
  test('differs each time, and can be decrypted', () => {
    const [one, other] = [
      cipher.encrypt('reg_secret', 'https://a.example.org'),
      cipher.encrypt('reg_secret', 'https://a.example.org'),
    ];
    assert.notEqual(one, other);
    assert.ok(!one.includes('secret'));
    assert.equal(cipher.decrypt(one, 'https://a.example.org'), 'reg_secret');
  });
  test('cannot be decrypted for another registry, with another password, or after tampering', () => {
    const encrypted = cipher.encrypt('reg_secret', 'https://a.example.org');
    assert.throws(() => cipher.decrypt(encrypted, 'https://b.example.org'));
    assert.throws(() => createCipher('another password of 32 characters').decrypt(encrypted, 'https://a.example.org'));
    assert.throws(() =>
      cipher.decrypt(`${encrypted.slice(0, -2)}${encrypted.endsWith('AA') ? 'BB' : 'AA'}`, 'https://a.example.org'),
    );
  });
});
