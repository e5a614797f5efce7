import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publisherRepository } from '../../src/trusted-publishers/repository.ts';
import type { Publisher } from '../../src/trusted-publishers/schemas.ts';
import { describeOnBothDatabases } from '../api-keys/api-keys-fixture.ts';

const MINUTE_MS = 60_000;
const MINIMAL: Publisher = {
  _id: 'minimal',
  name: 'gpkg',
  provider: 'github',
  issuer: 'https://issuer.example.org',
  repository: 'acme/gpkg',
  createdAt: '2026-03-01T12:00:00.000Z',
};
const FULL: Publisher = {
  ...MINIMAL,
  _id: 'full',
  provider: 'gitlab',
  repositoryId: '42',
  workflow: 'publish.yml',
  branch: 'main',
  tag: 'v*',
  anyRef: true,
  events: ['push', 'release'],
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

  test('reads publishers back unchanged, newest first, all or by issuer', async () => {
    await fixture.database.db.deleteFrom('trusted_publishers').execute();
    await rows().insert(MINIMAL);
    await rows().insert(FULL);
    assert.deepEqual(await rows().list({ skip: 0, size: 10 }), { results: [FULL, MINIMAL], count: 2 });
    assert.deepEqual(await rows().list({ skip: 1, size: 10 }), { results: [MINIMAL], count: 2 });
    assert.deepEqual(await rows().listByIssuer(MINIMAL.issuer), [FULL, MINIMAL]);
    assert.deepEqual(await rows().listByIssuer('https://other.example.org'), []);
    assert.deepEqual(await rows().delete('full'), FULL);
    assert.equal(await rows().delete('full'), undefined);
  });

  test('sets the number of a repository once, and records uses by that number only', async () => {
    await fixture.database.db.deleteFrom('trusted_publishers').execute();
    await rows().insert(MINIMAL);
    const at = FULL.createdAt;
    assert.equal(await rows().recordUse('none', { at }), false);
    assert.equal(await rows().recordUse('minimal', { at }), true);
    assert.equal(await rows().recordUse('minimal', { at, repositoryId: '42' }), false);
    const ids = ['42', '43', '44'];
    const set = await Promise.all(ids.map((id) => rows().setRepositoryId('minimal', id)));
    assert.deepEqual(set.filter(Boolean), [true]);
    for (const [index, repositoryId] of ids.entries())
      assert.equal(await rows().recordUse('minimal', { at, repositoryId }), set[index]);
    assert.equal(await rows().recordUse('minimal', { at }), false);
  });

  test('keeps a used token for the clock tolerance after its expiry', async () => {
    await fixture.database.db.deleteFrom('used_identity_tokens').execute();
    const inMs = (milliseconds: number) => new Date(Date.now() + milliseconds).toISOString();
    assert.equal(await rows().recordTokenUse('valid', inMs(MINUTE_MS)), true);
    assert.equal(await rows().recordTokenUse('expired just now', inMs(-MINUTE_MS / 2)), true);
    assert.equal(await rows().recordTokenUse('expired', inMs(-5 * MINUTE_MS)), true);
    await rows().deleteExpiredTokens(MINUTE_MS);
    assert.equal(await rows().recordTokenUse('valid', inMs(MINUTE_MS)), false);
    assert.equal(await rows().recordTokenUse('expired just now', inMs(MINUTE_MS)), false);
    assert.equal(await rows().recordTokenUse('expired', inMs(MINUTE_MS)), true);
  });
});
