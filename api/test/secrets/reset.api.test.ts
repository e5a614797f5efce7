// The way out when secrets are lost: resetSecrets adopts the present ones, and ends what depended on the others.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { resetSecrets, type BerthServer } from '../../index.ts';
import { createTestDatabaseUrl, type TestDatabase } from '../support/postgres.ts';
import { readProblem } from '../support/problems.ts';
import { DIALECTS } from '../support/test-database.ts';
import { remoteClient } from '../remotes/pair.ts';
import {
  ALL_WORK,
  clientOf,
  createDependants,
  INTERNAL_SECRET,
  refusal,
  secretsOf,
  signIn,
  start,
  startUpstream,
  whatWorks,
  type Dependants,
  type Env,
  type Upstream,
} from './instance.ts';

const OWN: Env = { ...secretsOf('a'), SECRET_INTERNAL_SERVICES: INTERNAL_SECRET };
const OTHER: Env = { ...secretsOf('b'), SECRET_INTERNAL_SERVICES: INTERNAL_SECRET };
const NOTHING = { sessions: 0, secondFactors: 0, apiKeys: 0, remoteRegistries: [] };

for (const dialect of DIALECTS)
  describe(`berth secrets reset on ${dialect}`, () => {
    const scratch = mkdtempSync(join(tmpdir(), 'berth-secrets-'));
    let database: TestDatabase | undefined;
    let upstream: Upstream;
    let dependants: Dependants;
    let location: Env & { DATA_DIR: string };
    const withServer = async (secrets: Env, work: (server: BerthServer) => Promise<void>) => {
      const server = await start({ ...location, ...secrets });
      try {
        await work(server);
      } finally {
        await server.close();
      }
    };
    before(async () => {
      database = dialect === 'postgres' ? await createTestDatabaseUrl({ migrated: true }) : undefined;
      location = { DATA_DIR: join(scratch, 'data'), ...(database && { DATABASE_URL: database.url }) };
      upstream = await startUpstream();
      await withServer(OWN, async (server) => {
        dependants = await createDependants(clientOf(server), upstream);
      });
    });
    after(async () => {
      await upstream.close();
      await database?.drop();
      rmSync(scratch, { recursive: true });
    });

    test('changes nothing if nothing is lost', async () => {
      const report = await resetSecrets({ ...location, ...OWN }, { confirm: true });
      assert.deepEqual(report, { adopted: true, lost: [], ...NOTHING });
      await withServer(OWN, async (server) => {
        assert.deepEqual(await whatWorks(clientOf(server), dependants, dependants.backupCodes[1] ?? ''), ALL_WORK);
      });
    });

    test('without a confirmation only reports what would be lost', async () => {
      const { sessions, ...report } = await resetSecrets({ ...location, ...OTHER });
      assert.ok(sessions >= 2);
      assert.deepEqual(report, {
        adopted: false,
        lost: ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'],
        secondFactors: 1,
        apiKeys: 1,
        remoteRegistries: [upstream.url],
      });
      assert.match(await refusal({ ...location, ...OTHER }), /run berth secrets reset\.$/);
      await withServer(OWN, async (server) => {
        assert.deepEqual(await whatWorks(clientOf(server), dependants, dependants.backupCodes[2] ?? ''), ALL_WORK);
      });
    });

    test('ends only what depends on the lost secret', async () => {
      const changed = { ...OWN, API_KEYS_SALT: OTHER['API_KEYS_SALT'] ?? '' };
      assert.deepEqual(await resetSecrets({ ...location, ...changed }, { confirm: true }), {
        adopted: true,
        lost: ['API_KEYS_SALT'],
        ...NOTHING,
        apiKeys: 1,
      });
      await withServer(changed, async (server) => {
        const works = await whatWorks(clientOf(server), dependants, dependants.backupCodes[3] ?? '');
        assert.deepEqual(works, { ...ALL_WORK, apiKey: false });
      });
    });

    test('lets the instance start, ends sessions and second factors, and leaves keys to be renewed', async () => {
      const adopted = dialect === 'sqlite' ? {} : OTHER;
      const { lost } = await resetSecrets({ ...location, ...adopted }, { confirm: true });
      assert.ok(lost.includes('AUTH_SECRET') && lost.includes('CIPHER_PASSWORD'));
      await withServer(adopted, async (server) => {
        const client = clientOf(server);
        const headers = await client.superadmin();
        const session = await client.api('GET', '/session', { headers: dependants.session });
        assert.equal(((await session.json()) as { kind: string }).kind, 'anonymous');
        const cookie = await signIn(client, dependants.email);
        const own = await client.api('GET', '/session', { headers: { cookie } });
        assert.equal(((await own.json()) as { kind: string }).kind, 'user');

        const rotated = await client.api('POST', `/api-keys/${dependants.keyId}/rotate`, { headers, body: {} });
        assert.equal(rotated.status, 201);
        const { key } = (await rotated.json()) as { key: string };
        const form = { format: 'file', file: new Uint8Array(1), fileName: 'x' } as const;
        await readProblem(
          await client.upload('x', { ...form, headers: { 'x-api-key': dependants.apiKey } }),
          401,
          'api_key_invalid',
        );
        assert.equal((await client.upload('x', { ...form, headers: { 'x-api-key': key } })).status, 201);
      });
    });

    test('shows which keys of remote registries must be entered again', async () => {
      const adopted = dialect === 'sqlite' ? {} : OTHER;
      await withServer(adopted, async (server) => {
        const client = { ...clientOf(server), server };
        const remote = remoteClient(client, upstream.url);
        const lost = { lastSyncStatus: 'error', lastSyncErrorCode: 'remote_key_unreadable' };
        assert.partialDeepStrictEqual(await remote.get(), lost);
        const synced = await remote.sync();
        assert.partialDeepStrictEqual(synced, lost);
        assert.match(synced.lastSyncError ?? '', /enter the key again\.$/);
        await readProblem(await remote.ask('GET', '/remote-artefacts'), 409, 'remote_key_unreadable');
        assert.equal((await remote.ask('PATCH', '', { apiKey: upstream.key })).status, 200);
        assert.equal((await remote.ask('GET', '/remote-artefacts')).status, 200);
        assert.partialDeepStrictEqual(await remote.sync(), { lastSyncStatus: 'success' });
      });
    });

    test('is recorded in the audit log', async () => {
      await withServer(dialect === 'sqlite' ? {} : OTHER, async (server) => {
        const client = clientOf(server);
        const headers = await client.superadmin();
        const response = await client.api('GET', '/audit-events?action=secrets.reset', { headers });
        const { results } = (await response.json()) as { results: { details: { lost: string[] } }[] };
        assert.deepEqual(results.at(-1)?.details.lost, ['API_KEYS_SALT']);
        assert.equal(results.length, 2);
        assert.partialDeepStrictEqual(results[0], {
          actor: { kind: 'internal' },
          target: { type: 'setting', id: 'secrets' },
          details: { secondFactors: 1, remoteRegistries: [upstream.url] },
        });
      });
    });
  });
