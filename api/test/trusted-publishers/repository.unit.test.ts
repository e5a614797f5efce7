import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publisherRepository } from '../../src/trusted-publishers/repository.ts';
import type { Publisher } from '../../src/trusted-publishers/schemas.ts';
import { describeOnBothDatabases } from '../api-keys/api-keys-fixture.ts';

const MINUTE_MS = 60_000;
const BARE: Publisher = {
  _id: 'bare',
  name: 'gpkg',
  provider: 'github',
  issuer: 'https://issuer.example.org',
  repository: 'acme/gpkg',
  createdAt: '2026-03-01T12:00:00.000Z',
};
const FULL: Publisher = {
  ...BARE,
  _id: 'full',
  provider: 'gitlab',
  repositoryId: '42',
  workflow: 'publish.yml',
  environment: 'production',
  allowedName: 'a@1',
  allowedNamePrefix: 'a',
  allowedPackageName: '@a/b',
  allowedCategory: 'other',
  createdAt: '2026-03-01T12:00:01.000Z',
  createdBy: { userId: 'uma', userName: 'Uma' },
  lastUsedAt: '2026-03-02T12:00:00.000Z',
};

describeOnBothDatabases('the repository of trusted publishers', (fixture) => {
  const rows = () => publisherRepository(fixture.database.db, fixture.database.dialect);

  test('gives back what went in, the newest first, and what is of one issuer', async () => {
    await fixture.database.db.deleteFrom('trusted_publishers').execute();
    await rows().insert(BARE);
    await rows().insert(FULL);
    assert.deepEqual(await rows().list({ skip: 0, size: 10 }), { results: [FULL, BARE], count: 2 });
    assert.deepEqual(await rows().list({ skip: 1, size: 10 }), { results: [BARE], count: 2 });
    assert.deepEqual(await rows().listOf(BARE.issuer), [FULL, BARE]);
    assert.deepEqual(await rows().listOf('https://other.example.org'), []);
    assert.equal(await rows().use('none', FULL.createdAt), false);
    assert.deepEqual(await rows().delete('full'), FULL);
    assert.equal(await rows().delete('full'), undefined);
  });

  test('keeps a used token until it has ended for as long as clocks may differ', async () => {
    await fixture.database.db.deleteFrom('used_identity_tokens').execute();
    const inMs = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();
    assert.equal(await rows().useToken('holds', inMs(MINUTE_MS)), true);
    assert.equal(await rows().useToken('ended just now', inMs(-MINUTE_MS / 2)), true);
    assert.equal(await rows().useToken('ended', inMs(-5 * MINUTE_MS)), true);
    await rows().forgetTokens(MINUTE_MS);
    assert.equal(await rows().useToken('holds', inMs(MINUTE_MS)), false);
    assert.equal(await rows().useToken('ended just now', inMs(MINUTE_MS)), false);
    assert.equal(await rows().useToken('ended', inMs(MINUTE_MS)), true);
  });
});
