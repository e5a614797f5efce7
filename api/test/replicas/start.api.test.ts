import assert from 'node:assert/strict';
import { test } from 'node:test';
import { query } from '../support/stored-state.ts';
import { startReplicas } from './replicas.ts';

test('five replicas that start concurrently on an empty database create one schema and one superadmin', async () => {
  const replicas = await startReplicas({ count: 5 });
  try {
    const [first] = replicas.all;
    assert.ok(first);
    for (const { url } of replicas.all) assert.equal((await fetch(`${url}/api/health/ready`)).status, 200);
    const migrations = await query<{ name: string }>(first, 'select name from kysely_migration order by name');
    assert.equal(migrations.length, new Set(migrations.map(({ name }) => name)).size);
    assert.ok(migrations.length > 0);
    assert.equal((await query(first, 'select id from "user"')).length, 1);
    assert.ok((await first.superadmin()).cookie);
    const upload = await first.upload('one', { format: 'file', file: new Uint8Array(10) });
    assert.equal(upload.status, 201);
    for (const replica of replicas.all)
      assert.equal((await replica.api('GET', '/artefacts/one', { headers: replica.internal })).status, 200);
  } finally {
    await replicas.close();
  }
});
