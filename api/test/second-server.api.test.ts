import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backup, ConfigError, createServer, sweep } from '../index.ts';
import { envOf, startTestServer } from './support/test-server.ts';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const logStream = { write: () => undefined };

test('a second server on one embedded database does not start; commands do', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-second-'));
  const first = await startTestServer({ dataDir: join(folder, 'data') });
  const env = { ...envOf(first), PORT: '0' };
  try {
    await assert.rejects(createServer({ env, logStream }), (error: Error) => {
      assert.ok(error instanceof ConfigError);
      const [, holder = ''] =
        /^DATA_DIR \(.+data\) is in use by another server \((.+)\): stop that one first/.exec(error.message) ?? [];
      assert.match(holder, new RegExp(`^process ${process.pid} on .+, since 20`));
      return true;
    });
    assert.equal((await first.api('GET', '/artefacts')).status, 200);
    await sweep(env);
    await backup(env, join(folder, 'backup'));
  } finally {
    await first.close();
  }
  const next = await createServer({ env, logStream });
  await next.close();
  await rm(folder, { recursive: true });
});
