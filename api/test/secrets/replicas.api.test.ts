// With PostgreSQL, all replicas must have the secrets that the data depends on.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createTestDatabaseUrl, type TestDatabase } from '../support/postgres.ts';
import {
  ALL_WORK,
  BOUND,
  clientOf,
  createDependants,
  forgetAttempts,
  forgetFingerprints,
  INTERNAL_SECRET,
  refusal,
  secretsOf,
  start,
  startUpstream,
  whatWorks,
  type Dependants,
  type Env,
  type Upstream,
} from './instance.ts';

const scratch = mkdtempSync(join(tmpdir(), 'berth-secrets-'));
after(() => {
  rmSync(scratch, { recursive: true });
});
const OWN: Env = { ...secretsOf('a'), SECRET_INTERNAL_SERVICES: INTERNAL_SECRET };
const OTHER = secretsOf('b');

describe('a start with PostgreSQL', () => {
  let database: TestDatabase;
  let upstream: Upstream;
  let dependants: Dependants;
  let env: Env;
  before(async () => {
    [database, upstream] = await Promise.all([createTestDatabaseUrl({ migrated: true }), startUpstream()]);
    env = { DATA_DIR: join(scratch, 'data'), DATABASE_URL: database.url, ...OWN };
    const server = await start(env);
    dependants = await createDependants(clientOf(server), upstream);
    await server.close();
  });
  after(async () => {
    await Promise.all([upstream.close(), database.drop()]);
  });

  const assertKeepsEverything = async (settings: Env) => {
    await forgetAttempts({ DATA_DIR: '', DATABASE_URL: database.url });
    const server = await start(settings);
    try {
      const backupCode = dependants.backupCodes.pop() ?? '';
      assert.deepEqual(await whatWorks(clientOf(server), dependants, backupCode), ALL_WORK);
    } finally {
      await server.close();
    }
  };
  const assertRefused = async (settings: Env, name: string) => {
    assert.equal(
      await refusal(settings),
      `${name} has another value than before, but data in the database depends on the previous value: restore it ` +
        'from the secrets.json of a backup or from the settings of an earlier start; if it is lost, run berth ' +
        'secrets reset.',
    );
  };

  test('keeps everything with the same secrets, from variables or files', async () => {
    const { AUTH_SECRET, ...others } = env;
    const file = join(scratch, 'auth');
    writeFileSync(file, `${AUTH_SECRET ?? ''}\r\n`);
    await assertKeepsEverything(env);
    await assertKeepsEverything({ ...others, AUTH_SECRET_FILE: file });
  });

  for (const name of BOUND) {
    test(`is refused with another ${name}`, async () => {
      await assertRefused({ ...env, [name]: OTHER[name] ?? '' }, name);
    });

    test(`is refused without ${name}`, async () => {
      const { [name]: _, ...others } = env;
      assert.match(await refusal(others), new RegExp(`^${name} must be set if DATABASE_URL is`));
    });
  }

  test('is refused with another secret while a replica runs, which goes on', async () => {
    await forgetAttempts({ DATA_DIR: '', DATABASE_URL: database.url });
    const running = await start(env);
    try {
      await assertRefused({ ...env, AUTH_SECRET: OTHER['AUTH_SECRET'] ?? '' }, 'AUTH_SECRET');
      const backupCode = dependants.backupCodes.pop() ?? '';
      assert.deepEqual(await whatWorks(clientOf(running), dependants, backupCode), ALL_WORK);
    } finally {
      await running.close();
    }
  });

  test('on a database without fingerprints adopts the secrets that are set', async () => {
    await forgetFingerprints({ DATA_DIR: '', DATABASE_URL: database.url });
    await assertKeepsEverything(env);
    await assertRefused({ ...env, CIPHER_PASSWORD: OTHER['CIPHER_PASSWORD'] ?? '' }, 'CIPHER_PASSWORD');
  });
});

describe('replicas that start together on an empty database', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createTestDatabaseUrl();
  });
  after(() => database.drop());

  test('are refused unless they have the secrets of the first one', async () => {
    const settings = { DATA_DIR: join(scratch, 'together'), DATABASE_URL: database.url };
    const starts = await Promise.allSettled(
      [OWN, OTHER, OWN, OTHER].map((secrets) => start({ ...settings, ...secrets })),
    );
    const started = starts.map((it) => it.status === 'fulfilled');
    assert.ok(started[0] !== started[1], JSON.stringify(started));
    assert.deepEqual(started.slice(2), started.slice(0, 2));
    for (const it of starts)
      if (it.status === 'rejected')
        assert.match(
          (it.reason as Error).message,
          /^API_KEYS_SALT, CIPHER_PASSWORD and AUTH_SECRET have another value/,
        );
    for (const it of starts) if (it.status === 'fulfilled') await it.value.close();
  });
});
