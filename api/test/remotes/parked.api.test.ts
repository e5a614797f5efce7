// Runs that end the server three times in a row are not taken up again until a superadmin requests one.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient } from '../support/test-client.ts';
import { startTestServer } from '../support/test-server.ts';
import { addRemote, remoteClient, type RemoteClient, type RemoteView } from './pair.ts';

let registry: Server;
let url: string;
let directory: string;
/** List requests that are not answered yet: a run waits for each. */
let waiting: ServerResponse[] = [];
let isAnswering = false;

before(async () => {
  registry = createServer((_request, response) => {
    if (isAnswering) response.end('{"results":[],"count":0}');
    else waiting.push(response);
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
});
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-parked-'));
  isAnswering = false;
});
after(async () => {
  registry.closeAllConnections();
  registry.close();
  await rm(directory, { recursive: true, force: true });
});

const start = (): Promise<ServerProcess> =>
  startServerProcess({
    env: {
      DATA_DIR: directory,
      ADMIN_EMAIL,
      ADMIN_PASSWORD,
      SECRET_INTERNAL_SERVICES: 'internal-secret',
      LOG_LEVEL: 'warn',
    },
  });

function clientOf(server: ServerProcess): RemoteClient {
  return remoteClient(createTestClient(server.url, 'internal-secret'), url);
}

/** Waits until a run has requested the list. */
async function runInProgress(message: string): Promise<void> {
  await eventually(async () => {
    assert.ok(waiting.length > 0, message);
  });
}

/** A killed process holds the lease for half a minute. */
function expireLeases(): void {
  const database = new DatabaseSync(join(directory, 'berth.db'));
  database.exec(`update leases set expires_at = '2000-01-01T00:00:00.000Z'`);
  database.close();
}

async function parkedView(remote: RemoteClient): Promise<RemoteView> {
  return eventually(async () => {
    const view = await remote.get();
    assert.equal(view.lastSyncErrorCode, 'sync_parked');
    assert.equal(view.syncState, 'idle');
    return view;
  });
}

test('three deaths of the server during its runs park a registry until a run is requested', async () => {
  let server = await start();
  await addRemote(createTestClient(server.url, 'internal-secret'), url, 'reg_key', { selectedPatterns: ['*'] });
  assert.equal((await clientOf(server).ask('POST', '/sync')).status, 202);
  for (let deaths = 1; deaths <= 3; deaths++) {
    await runInProgress(`run ${deaths} has begun`);
    await server.stop();
    expireLeases();
    waiting = [];
    server = await start();
  }
  const remote = clientOf(server);
  const parked = await parkedView(remote);
  assert.equal(parked.lastSyncStatus, 'error');
  assert.match(parked.lastSyncError ?? '', /ended during 3 synchronisations .* synchronise it by hand/);
  assert.equal(parked.nextSyncAt, undefined);
  // A selection makes it due, but does not run it.
  assert.equal((await remote.ask('POST', '/selected-artefacts', { artefactId: 'chosen' })).status, 201);
  await eventually(async () => {
    assert.equal((await remote.get()).nextSyncAt, undefined);
  });
  assert.equal((await remote.get()).lastSyncErrorCode, 'sync_parked');
  assert.deepEqual(waiting, []);

  isAnswering = true;
  const view = await remote.sync();
  assert.notEqual(view.lastSyncErrorCode, 'sync_parked');
  await server.stop();
});

test('shutdowns during its runs do not park a registry', async (t) => {
  for (let stops = 1; stops <= 5; stops++) {
    const server = await startTestServer({ dataDir: directory });
    t.after(() => server.close());
    const remote =
      stops === 1 ? await addRemote(server, url, 'reg_key', { selectedPatterns: ['*'] }) : remoteClient(server, url);
    if (stops === 1) assert.equal((await remote.ask('POST', '/sync')).status, 202);
    await runInProgress(`run ${stops} has begun`);
    assert.notEqual((await remote.get()).lastSyncErrorCode, 'sync_parked');
    await server.close();
    for (const response of waiting.splice(0)) response.destroy();
  }
});
