import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { createDatabase, migrate } from '../../src/db/index.ts';
import { freePort } from '../support/free-port.ts';
import { startTestProvider } from '../support/openid-provider.ts';
import { githubJob, type JobClaims } from '../support/pipeline.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import { readProblem } from '../support/problems.ts';
import { DIALECTS, startTestServer } from '../support/test-server.ts';

const BEFORE = '0011-sync-error-codes';

for (const dialect of DIALECTS) {
  test(`publishers of an older version keep matching and are listed as loose, on ${dialect}`, async (t) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'berth-upgrade-'));
    const created = dialect === 'postgres' ? await createTestDatabaseUrl() : undefined;
    t.after(() => created?.drop());
    const audience = `http://127.0.0.1:${await freePort()}`;
    const provider = await startTestProvider(audience);
    t.after(() => provider.stop());

    const database = createDatabase({ url: created?.url ?? join(dataDir, 'berth.db') });
    await migrate(database, { upTo: BEFORE });
    for (const [id, environment] of [
      ['loose', null],
      ['protected', 'production'],
    ])
      await sql`
        insert into trusted_publishers (id, name, provider, issuer, repository, environment, created_at, created_by)
        values (${id}, 'gpkg', 'github', ${provider.issuer}, 'acme/import-gpkg', ${environment}, ${id}, 'null')
      `.execute(database.db);
    await database.close();

    const berth = await startTestServer({
      dialect,
      dataDir,
      env: {
        PORT: new URL(audience).port,
        PUBLIC_URL: audience,
        ...(created && { DATABASE_URL: created.url }),
      },
    });
    t.after(async () => {
      await berth.close();
      await rm(dataDir, { recursive: true });
    });
    const list = async () =>
      (
        (await (await berth.api('GET', '/trusted-publishers', { headers: await berth.superadmin() })).json()) as {
          results: { _id: string; loose?: boolean; repositoryId?: string }[];
        }
      ).results.map(({ _id, loose, repositoryId }) => [_id, loose, repositoryId]);
    assert.deepEqual(await list(), [
      ['protected', undefined, undefined],
      ['loose', true, undefined],
    ]);

    const exchange = async (changes: JobClaims) =>
      berth.api('POST', '/upload-tokens', {
        body: { token: await provider.sign(githubJob(provider, audience, { environment: undefined, ...changes })) },
      });
    await readProblem(await exchange({ event_name: 'pull_request_target' }), 403, 'publisher_not_trusted');
    assert.equal((await exchange({ ref: 'refs/heads/any' })).status, 201);
    await readProblem(await exchange({ repository_id: '9' }), 403, 'publisher_not_trusted');
    assert.deepEqual(await list(), [
      ['protected', undefined, undefined],
      ['loose', true, '4242'],
    ]);
  });
}
