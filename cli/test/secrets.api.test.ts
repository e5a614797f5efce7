import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { berth, berthJson, dataDir, withServedInstance } from './served-instance.ts';

withServedInstance();

test('berth secrets reset reports what would be lost, and adopts new secrets with --confirm', () => {
  const file = join(dataDir, 'secrets.json');
  const none = { adopted: false, lost: [], sessions: 0, secondFactors: 0, apiKeys: 0, remoteRegistries: [] };
  assert.deepEqual(berthJson(['secrets', 'reset']), none);

  rmSync(file);
  const reported = berth(['secrets', 'reset']);
  assert.equal(reported.status, 1);
  assert.match(
    reported.stdout,
    /^Would adopt the present API_KEYS_SALT, CIPHER_PASSWORD, AUTH_SECRET\. Lost:\n {2}0 sessions and all /,
  );
  assert.match(reported.stderr, /^berth secrets reset: nothing was changed: [^\n]+ --confirm\n$/);
  assert.ok(!existsSync(file));

  const adopted = berth(['secrets', 'reset', '--confirm']);
  assert.deepEqual([adopted.status, adopted.stderr], [0, '']);
  assert.match(adopted.stdout, /^Adopted the present API_KEYS_SALT, CIPHER_PASSWORD, AUTH_SECRET\. Lost:\n/);
  assert.ok(existsSync(file));
  assert.deepEqual(berthJson(['secrets', 'reset']), none);
});
