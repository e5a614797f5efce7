// Answers of a registry that are built to exhaust whoever reads them cost its own run alone, in a server with little
// memory: it lives, the registry's next run succeeds, and so does the next start.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from '../support/test-client.ts';
import {
  BROKEN_ENTRIES,
  BYTES,
  densePage,
  REFUSED_LISTS,
  startBombRegistry,
  withEntry,
  type BombRegistry,
} from '../upstream/bombs.ts';
import { addRemote, remoteClient, resultOf, syncWhenIdle, type RemoteClient } from './pair.ts';

const RUN_TIMEOUT_MS = 60_000;
const SECRET = 'internal-secret';

let registry: BombRegistry;
let directory: string;
let server: ServerProcess;
let client: TestClient;
let remote: RemoteClient;

const start = () =>
  startServerProcess({
    env: {
      DATA_DIR: directory,
      ADMIN_EMAIL,
      ADMIN_PASSWORD,
      SECRET_INTERNAL_SERVICES: SECRET,
      LOG_LEVEL: 'warn',
      NODE_OPTIONS: '--max-old-space-size=512',
    },
  });

before(async () => {
  registry = await startBombRegistry();
  directory = await mkdtemp(join(tmpdir(), 'berth-hostile-'));
  server = await start();
  client = createTestClient(server.url, SECRET);
  remote = await addRemote(client, registry.url, 'reg_key', { selectedPatterns: ['map'] });
});
after(async () => {
  await server.stop();
  await registry.close();
  await rm(directory, { recursive: true, force: true });
});

const sync = () => syncWhenIdle(remote, RUN_TIMEOUT_MS);

async function assertStillMirrors(): Promise<void> {
  registry.bomb = undefined;
  await eventually(async () => {
    assert.equal((await sync()).lastSyncStatus, 'success');
  }, RUN_TIMEOUT_MS);
}

for (const bomb of REFUSED_LISTS) {
  test(`a list of ${bomb.name} ends its run with an error, and its page with 502`, async () => {
    registry.bomb = bomb;
    const view = await sync();
    assert.deepEqual([view.lastSyncStatus, view.lastSyncErrorCode], ['error', 'remote_answer_invalid']);
    if (bomb.name !== 'artefacts without an end')
      assert.equal((await remote.ask('GET', '/remote-artefacts')).status, 502);
    assert.ok(server.isRunning());
  });
}

test('after all of these, the registry is mirrored, also by the next start', async () => {
  await assertStillMirrors();
  registry.bomb = REFUSED_LISTS[0];
  assert.equal((await remote.ask('POST', '/sync')).status, 202);
  await server.stop();
  server = await start();
  client = createTestClient(server.url, SECRET);
  remote = remoteClient(client, registry.url);
  await assertStillMirrors();
});

for (const [name, entry] of Object.entries(BROKEN_ENTRIES)) {
  test(`an entry of ${name} is left out, and the others are mirrored and listed`, async () => {
    registry.bomb = withEntry(entry);
    const view = await sync();
    assert.deepEqual([view.lastSyncStatus, resultOf(view, 'map').status], ['success', 'unchanged']);
    const page = await remote.ask('GET', '/remote-artefacts');
    assert.equal(page.status, 200);
    const { results } = (await page.json()) as { results: { _id: string; local: { synced: boolean } }[] };
    assert.deepEqual(
      results.map(({ _id, local }) => [_id, local.synced]),
      [['map', true]],
    );
  });
}

test('a page of the largest documents that are allowed is listed', async () => {
  registry.bomb = { name: 'dense', body: () => `{"results":[${densePage((at) => `m${at}`)}],"count":100}` };
  const page = await remote.ask('GET', '/remote-artefacts?size=1000');
  assert.equal(page.status, 200);
  assert.equal(((await page.json()) as { results: unknown[] }).results.length, 100);
});

test('the bytes are those that were mirrored', async () => {
  const response = await client.api('GET', '/artefacts/map/download', { headers: client.internal });
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), BYTES);
});
