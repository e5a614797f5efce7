import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backup, migrateDatabase } from '../../index.ts';
import { createDatabase } from '../../src/db/index.ts';
import { createJobs } from '../../src/jobs/index.ts';
import { eventually } from '../support/eventually.ts';
import { createTestInstance } from './instance.ts';

const LEASE = 'storage.sweep';

test('a backup waits for a sweep to end, holds its lease, and releases it', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'berth-lease-'));
  const instance = await createTestInstance({ dialect: 'postgres', storage: 'fs' });
  await migrateDatabase(instance.env);
  const database = createDatabase({ url: instance.env['DATABASE_URL'] ?? '' });
  const { leases, close } = createJobs({
    database,
    onError: (error) => {
      throw error;
    },
  });
  try {
    const sweeping = await leases.acquire(LEASE);
    assert.ok(sweeping);
    const phases = new Set<string>();
    const running = backup(instance.env, join(scratch, 'backup'), {
      onProgress: ({ phase }) => {
        phases.add(phase);
      },
    });
    await eventually(async () => {
      assert.deepEqual([...phases], ['waiting']);
    });
    await sweeping.release();
    await running;
    assert.ok(phases.has('rows'));
    const next = await leases.acquire(LEASE);
    assert.equal(next?.fencingToken, sweeping.fencingToken + 2, 'the backup held it in between');
  } finally {
    await close();
    await database.close();
    await instance.remove();
    await rm(scratch, { recursive: true });
  }
});
