// `syncState` is `running` from the answer that makes a run due until the mirror is complete: who polls it until it is
// something else, on any replica, never finds an artefact that is still to come.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startReplicas, type Replicas } from '../replicas/replicas.ts';
import { readEvents } from '../support/event-stream.ts';
import { readProblem } from '../support/problems.ts';
import type { TestClient } from '../support/test-client.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { addRemote, publish, remoteClient, type RemoteClient, type RemoteView } from './pair.ts';

const ROUNDS = 6;

interface Mirror {
  /** Its replicas, in turn. */
  clients: TestClient[];
  close(): Promise<void>;
}

const mirrors: Record<string, () => Promise<Mirror>> = {
  ...Object.fromEntries(
    DIALECTS.map((dialect) => [
      dialect,
      async () => {
        const server = await startTestServer({ dialect });
        return { clients: [server], close: () => server.close() };
      },
    ]),
  ),
  async 'two replicas'() {
    const replicas: Replicas = await startReplicas({ count: 2, storage: 'fs' });
    return { clients: replicas.all, close: () => replicas.close() };
  },
};

/** Checks what every view promises, whenever and wherever it was read. */
function assertHonest(view: RemoteView, where: string): void {
  const pending = view.results.filter(({ status }) => status === 'pending').map(({ artefactId }) => artefactId);
  assert.ok(
    view.syncState === 'running' || pending.length === 0,
    `${where}: ${view.syncState}, but ${pending.join()} pending`,
  );
}

for (const [name, startMirror] of Object.entries(mirrors)) {
  describe(`the state of a remote registry on ${name}`, () => {
    let upstream: TestServer;
    let mirror: Mirror;
    let remotes: RemoteClient[];
    before(async () => {
      upstream = await startTestServer();
      mirror = await startMirror();
      const key = await upstream.readKey({ type: 'organization', id: 'mirrors' });
      const [first = assert.fail('there is a replica')] = mirror.clients;
      const { _id: id } = await (await addRemote(first, upstream.url, key)).get();
      remotes = mirror.clients.map((client) => remoteClient(client, id));
    });
    after(async () => {
      await mirror.close();
      await upstream.close();
    });

    const remoteAt = (at: number) => remotes[at % remotes.length]!;

    /** Reads the state, by itself or in the list, without a pause until no run is due; returns the last view. */
    async function poll(at: number): Promise<RemoteView> {
      for (let reads = at; ; reads++) {
        const client = mirror.clients[reads % mirror.clients.length]!;
        const view =
          reads % 3 === 0
            ? (
                (await (
                  await client.api('GET', '/remote-registries', { headers: await client.superadmin() })
                ).json()) as { results: [RemoteView] }
              ).results[0]
            : await remoteAt(reads).get();
        assertHonest(view, 'a read');
        if (view.syncState !== 'running') return view;
      }
    }

    async function versionAt(at: number, id: string): Promise<unknown> {
      const client = mirror.clients[at % mirror.clients.length]!;
      const response = await client.api('GET', `/artefacts/${encodeURIComponent(id)}`, { headers: client.internal });
      return response.status === 200 ? ((await response.json()) as { version: string }).version : response.status;
    }

    async function answerOf(response: Response, status: number): Promise<RemoteView> {
      assert.equal(response.status, status, await response.clone().text());
      return (await response.json()) as RemoteView;
    }

    test('is running from the answer to a selection or a request until the mirror is complete', async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const id = `chosen-${round}@1`;
        await publish(upstream, id, '1.0.0');
        const selected = await answerOf(
          await remoteAt(round).ask('POST', '/selected-artefacts', { artefactId: id }),
          201,
        );
        assert.deepEqual([selected.syncState, selected.syncProgress], ['running', undefined]);
        const idle = await poll(round);
        assert.deepEqual([idle.syncState, idle.lastSyncStatus, idle.lastSyncError], ['idle', 'success', undefined]);
        assert.equal(await versionAt(round + 1, id), '1.0.0');

        await publish(upstream, id, '1.0.1');
        const requested = await answerOf(await remoteAt(round + 1).ask('POST', '/sync'), 202);
        assert.equal(requested.syncState, 'running');
        await poll(round);
        assert.equal(await versionAt(round, id), '1.0.1');
      }
    });

    test('is running without a gap while several clients select, request, and change the registry', async () => {
      const events = remotes.map(() => [] as RemoteView[]);
      const streams = await Promise.all(
        mirror.clients.map(async (client, at) =>
          readEvents(
            await client.api('GET', `${remoteAt(at).path}/events`, { headers: await client.superadmin() }),
            ({ data }) => {
              events[at]!.push(data as RemoteView);
            },
          ),
        ),
      );
      let accepted = 0;
      await Promise.all(
        Array.from({ length: 5 }, async (_, client) => {
          for (let round = 0; round < ROUNDS; round++) {
            const at = client + round;
            const id = `busy-${client}-${round}@1`;
            await publish(upstream, id, '1.0.0');
            if (client === 3) {
              // What a form saves must not put off a run that is due.
              const body = { schedule: round % 2 === 0 ? null : '0 3 1 1 *', selectedPatterns: [] };
              assertHonest(await answerOf(await remoteAt(at).ask('PATCH', '', body), 200), 'a change');
            }
            const selected = await answerOf(
              await remoteAt(at).ask('POST', '/selected-artefacts', { artefactId: id }),
              201,
            );
            assert.equal(selected.syncState, 'running');
            if (client === 4) await poll(at);
            await publish(upstream, id, '1.0.1');
            const response = await remoteAt(at).ask('POST', '/sync');
            if (response.status === 409) {
              await readProblem(response, 409, 'sync_running');
              await poll(at);
              assert.match(String(await versionAt(at, id)), /^1\.0\.[01]$/);
            } else {
              accepted++;
              assert.equal((await answerOf(response, 202)).syncState, 'running');
              await poll(at);
              assert.equal(await versionAt(at, id), '1.0.1');
            }
          }
        }),
      );
      assert.ok(accepted > 0);
      await Promise.all(streams.map((stream) => stream.cancel()));
      for (const view of events.flat()) assertHonest(view, 'an event');
    });
  });
}
