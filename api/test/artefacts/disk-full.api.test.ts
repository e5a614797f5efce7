// Simulates a full disk with the limit on file sizes (`ulimit -f`): larger writes fail as on a full disk, without the
// rights that mounting a small file system would need. The embedded database stays far below the limit;
// db/errors.unit.test.ts tests a full database.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { createTestDatabaseUrl, type TestDatabase } from '../support/postgres.ts';
import { readProblem } from '../support/problems.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS } from '../support/test-server.ts';

const MIB = 1024 * 1024;
const LIMIT_KIB = 8 * 1024;
const SECRET = 'x'.repeat(32);
const INTERNAL = { 'x-secret-key': SECRET };
const SETTINGS = {
  SECRET_INTERNAL_SERVICES: SECRET,
  API_KEYS_SALT: SECRET,
  CIPHER_PASSWORD: SECRET,
  AUTH_SECRET: SECRET,
  LOG_LEVEL: 'warn',
};

const SMALL = randomBytes(1000);
const LARGE = randomBytes(12 * MIB);
const LARGE_TARBALL = await npmTarball({ files: { data: LARGE } });

for (const dialect of DIALECTS) {
  describe(`a full disk, with ${dialect}`, () => {
    let server: ServerProcess;
    let directory: string;
    let database: TestDatabase | undefined;
    let config: { DATA_DIR: string; DATABASE_URL?: string };

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'berth-full-'));
      database = dialect === 'postgres' ? await createTestDatabaseUrl() : undefined;
      config = { DATA_DIR: directory, ...(database && { DATABASE_URL: database.url }) };
      server = await startServerProcess({ env: { ...SETTINGS, ...config }, limits: `ulimit -f ${LIMIT_KIB}` });
      assert.equal((await upload('before', 'file', SMALL)).status, 201);
    });
    after(async () => {
      await server.stop();
      await database?.drop();
      await rm(directory, { recursive: true });
    });

    const upload = (id: string, format: 'npm' | 'file', bytes: Uint8Array) => {
      const form = new FormData();
      form.set('file', new Blob([bytes]), 'file.bin');
      return fetch(`${server.url}/api/v1/artefacts/${format}/${id}`, {
        method: 'POST',
        headers: INTERNAL,
        body: form,
      });
    };
    const get = (path: string) => fetch(`${server.url}${path}`, { headers: INTERNAL });
    const countFiles = async () => {
      const entries = await eventually(() =>
        readdir(join(directory, 'blobs'), { recursive: true, withFileTypes: true }),
      );
      return entries.filter((entry) => entry.isFile()).length;
    };

    test('an upload is rejected with 507 and leaves nothing', async () => {
      const before = await countFiles();
      for (const [id, format, bytes] of [
        ['new', 'file', LARGE],
        ['new', 'npm', LARGE_TARBALL],
        ['before', 'file', LARGE],
      ] as const) {
        await readProblem(await upload(id, format, bytes), 507, 'storage_full');
        await eventually(async () => assert.equal(await countFiles(), before));
        assert.deepEqual(await query({ server: { config } }, 'select * from blob_writers'), []);
      }
      assert.equal((await get('/api/v1/artefacts/new')).status, 404);
    });

    test('uploads that do not fit do not disturb those that do', async () => {
      const answers = await Promise.all([
        upload('large-1', 'file', LARGE),
        upload('small-1', 'file', SMALL),
        upload('large-2', 'npm', LARGE_TARBALL),
        upload('small-2', 'npm', await npmTarball()),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [507, 201, 507, 201],
      );
      await Promise.all(answers.map((answer) => answer.text()));
    });

    test('stored artefacts are served, and the server is ready', async () => {
      const download = await get('/api/v1/artefacts/before/download');
      assert.deepEqual(Buffer.from(await download.arrayBuffer()), SMALL);
      assert.deepEqual(await (await get('/api/health/ready')).json(), { status: 'ok', database: 'ok', storage: 'ok' });
      assert.equal(((await (await get('/api/v1/artefacts')).json()) as { count: number }).count, 3);
    });

    test('the server stays up', () => {
      assert.ok(server.isRunning());
    });
  });
}
