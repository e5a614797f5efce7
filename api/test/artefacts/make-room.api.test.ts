// A disk without a free byte, on a small file system of its own: deleting makes room, and uploads work again.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { OWN_MOUNTS, startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from '../support/test-client.ts';

const MIB = 1024 * 1024;
const SECRET = 'x'.repeat(32);
const RESERVE_BYTES = 8 * MIB;
const LARGE = randomBytes(5 * MIB);
const SMALL = randomBytes(1_000);

describe('a full disk', () => {
  let directory: string;
  let server: ServerProcess;
  let client: TestClient;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-room-'));
    server = await startServerProcess({
      within: OWN_MOUNTS,
      limits: `mount -t tmpfs -o size=48m tmpfs ${directory} || exit`,
      env: {
        DATA_DIR: join(directory, 'data'),
        PUBLIC_URL: 'http://localhost',
        ADMIN_EMAIL,
        ADMIN_PASSWORD,
        SECRET_INTERNAL_SERVICES: SECRET,
        GC_GRACE_HOURS: '0',
        LOG_LEVEL: 'warn',
      },
    });
    client = createTestClient(server.url, SECRET);
    for (const id of ['kept', 'first', 'second', 'third'])
      assert.equal((await upload(id, id === 'kept' ? SMALL : randomBytes(5 * MIB))).status, 201);
    await eventually(async () => assert.equal(await reserveBytes(), RESERVE_BYTES));
  });
  after(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  /** Path of a file as the server sees it. */
  const within = (...names: string[]) => join(`/proc/${server.pid}/root`, directory, ...names);
  const reserveBytes = async () => (await stat(within('data', 'reserve'))).size;
  const upload = (id: string, file: Uint8Array) => client.upload(id, { format: 'file', file });
  const remove = (path: string) => client.api('DELETE', path, { headers: client.internal });

  /** Writes until nothing fits any more, in smaller and smaller pieces. */
  async function fillDisk(): Promise<void> {
    const file = await open(within('filling'), 'a');
    for (let bytes = MIB; bytes >= 512; bytes /= 2)
      for (let isFull = false; !isFull;)
        isFull = await file.write(Buffer.alloc(bytes)).then(
          ({ bytesWritten }) => bytesWritten < bytes,
          () => true,
        );
    await file.close();
  }

  test('refuses uploads, lets administrators sign in and delete, and accepts uploads after a sweep', async () => {
    const headers = await client.superadmin();
    const create = (path: string, body: object) => client.api('POST', path, { headers, body });
    const { _id: key } = (await (await create('/api-keys', { type: 'upload', name: 'CI' })).json()) as { _id: string };
    const user = (await (
      await create('/users', { email: 'u@example.org', name: 'U', password: 'correct horse' })
    ).json()) as { id: string };
    await fillDisk();
    await readProblem(await upload('new', SMALL), 507, 'database_full');
    await readProblem(
      await client.api('PATCH', '/artefacts/kept', {
        headers: client.internal,
        body: { title: { en: 'x'.repeat(200) } },
      }),
      507,
      'database_full',
    );
    assert.equal(await reserveBytes(), RESERVE_BYTES);

    assert.equal((await remove('/artefacts/first')).status, 204);
    assert.ok((await reserveBytes()) < RESERVE_BYTES);
    await fillDisk();
    const again = createTestClient(server.url, SECRET);
    const signedIn = await again.superadmin();
    for (const path of ['/artefacts/second', `/api-keys/${key}`, `/users/${user.id}`])
      assert.equal((await client.api('DELETE', path, { headers: signedIn })).status, 204, path);
    assert.equal((await client.api('GET', '/artefacts/first', { headers: client.internal })).status, 404);
    const download = await client.api('GET', '/artefacts/kept/download', { headers: client.internal });
    assert.deepEqual(Buffer.from(await download.arrayBuffer()), SMALL);

    assert.equal((await client.api('POST', '/storage/sweep', { headers: signedIn, body: {} })).status, 202);
    await eventually(async () => {
      const { sweep } = (await (await client.api('GET', '/storage', { headers: signedIn })).json()) as {
        sweep: { running: boolean; outcome?: string; result?: { freedBytes: number } };
      };
      assert.deepEqual([sweep.running, sweep.outcome, sweep.result?.freedBytes], [false, 'succeeded', 10 * MIB]);
    });
    assert.equal((await upload('new', LARGE)).status, 201);
    assert.equal((await remove('/artefacts/third')).status, 204);
    assert.ok(server.isRunning());
  });
});
