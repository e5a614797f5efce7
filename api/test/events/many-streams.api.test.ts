// Many streams of events at once, readers who do not read, outages and the end of the server.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { eventually } from '../support/eventually.ts';
import { startPostgresCluster } from '../support/postgres-cluster.ts';
import { DIALECTS } from '../support/test-database.ts';
import { startTestServer } from '../support/test-server.ts';
import { startMeanwhileApp, type MeanwhileApp } from '../access/meanwhile-app.ts';
import { follow, type CloudEvent, type Follower } from './event-readers.ts';
import { HELD_MS, untilReadable, write } from './outbox-fixture.ts';

const subjectsOf = (events: CloudEvent[]) => events.map(({ subject }) => subject);
/** If all were kept for each of 10 readers: 270 MB. */
const MAX_BYTES = 60_000_000;
/** More in all than the kernel buffers for a connection, some 10 MB. */
const EVENTS = 15_000;
const FILLER = 'x'.repeat(1_500);

const until = async ({ events }: Follower, subjects: string[]) =>
  eventually(async () => {
    assert.deepEqual(subjectsOf(events), subjects);
  }, HELD_MS);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Asks for all events, and reads nothing. */
function openPaused({ url }: { url: string }, headers: Record<string, string>): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').pause();
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET /api/v1/events/stream?after=oldest HTTP/1.1\r\n${lines.join('')}\r\n`);
  return socket;
}

/** Reads what has arrived, and the end. */
async function readRest(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  await closed;
  return text;
}

for (const dialect of DIALECTS) {
  describe(`many streams of events on ${dialect}`, () => {
    let app: MeanwhileApp;
    let root: Record<string, string>;
    before(async () => {
      app = await startMeanwhileApp(dialect, { stallMs: 500 });
      root = await app.superadmin();
    });
    after(() => app.close());
    const writeAll = (...subjects: string[]) => app.database.transaction((tx) => write(tx, ...subjects));

    test('are cut off from readers who do not read, and resume; what is kept for them is bounded', async () => {
      const ids: string[] = [];
      for (let at = 0; at < EVENTS; at += 500) {
        const events = Array.from({ length: 500 }, (_, n) => ({
          ...{ id: randomUUID(), type: 'artefact.updated', subject: `${at + n}`, time: new Date().toISOString() },
          ...{ data: JSON.stringify({ filler: FILLER }), actor: null, audience: null },
        }));
        await app.database.db.insertInto('events').values(events).execute();
        ids.push(...events.map(({ id }) => id));
      }
      await untilReadable(app.database);
      const memory = () => {
        collectGarbage();
        return process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed;
      };
      const before = memory();
      const idle = await app.connections();
      const sockets = Array.from({ length: 10 }, () => openPaused(app, root));
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
      const other = await follow(app, root);
      await writeAll('meanwhile');
      await until(other, ['meanwhile']);
      await other.close();
      assert.ok(memory() - before < MAX_BYTES, `${memory() - before} bytes more`);
      await eventually(async () => {
        assert.ok((await app.connections()) <= idle);
      }, HELD_MS);
      const text = await readRest(sockets[0]!);
      for (const socket of sockets) socket.destroy();
      // Each message is in a chunk; the last one may have been cut off.
      const [, lastId] = [...text.matchAll(/\r\nid: (.*)\ndata: .*\n\n/g)].at(-1)!;
      const place = ids.indexOf(lastId ?? '');
      assert.ok(place > 0 && place < EVENTS - 1, `cut off behind event ${place}`);
      const resumed = await follow(app, root, {}, { lastEventId: lastId });
      await eventually(async () => {
        assert.equal(resumed.events.at(-1)?.subject, 'meanwhile');
      }, HELD_MS);
      assert.equal(resumed.events.length, EVENTS - place);
      assert.ok(resumed.events.slice(0, -1).every(({ id }, at) => id === ids[place + 1 + at]));
      await resumed.close();
    });

    test('all get each event, once', async () => {
      const followers = await Promise.all(Array.from({ length: 200 }, () => follow(app, root)));
      const subjects: string[] = [];
      for (let at = 0; at < 20; at++) {
        subjects.push(`many-${at}`);
        await writeAll(`many-${at}`);
      }
      for (const follower of followers) await until(follower, subjects);
      await Promise.all(followers.map((follower) => follower.close()));
    });

    test('end when the server stops, without delaying it', async () => {
      const stopping = await startMeanwhileApp(dialect);
      const headers = await stopping.superadmin();
      const followers = await Promise.all(Array.from({ length: 20 }, () => follow(stopping, headers)));
      const sockets = Array.from({ length: 3 }, () => openPaused(stopping, headers));
      await eventually(async () => {
        assert.ok((await stopping.connections()) >= followers.length + sockets.length);
      });
      await stopping.close();
      for (const { ended } of followers) await ended;
      for (const socket of sockets) assert.match(await readRest(socket), /^HTTP\/1.1 200|^$/);
    });
  });
}

test('streams of events go on after PostgreSQL was down; nothing is lost, and it is logged once', async () => {
  const cluster = await startPostgresCluster({ durable: true });
  const server = await startTestServer({
    dialect: 'postgres',
    storage: 'fs',
    signIn: 'local',
    env: { DATABASE_URL: cluster.url },
  });
  try {
    const followers = [await follow(server, server.internal), await follow(server, server.internal)];
    const upload = (id: string) => server.upload(id, { format: 'file', file: Buffer.from(id) });
    assert.equal((await upload('before')).status, 201);
    for (const follower of followers) await until(follower, ['before']);
    await cluster.become('down');
    assert.ok((await upload('lost')).status >= 500);
    const reports = () => server.logs.filter((line) => /readAfter/.test(line));
    await eventually(async () => {
      assert.equal(reports().length, 1);
    });
    await cluster.become('up');
    await eventually(async () => {
      assert.equal((await upload('after')).status, 201);
    });
    for (const { ended, lastId } of followers) {
      await ended;
      const follower = await follow(server, server.internal, {}, { lastEventId: lastId() });
      await until(follower, ['after']);
      await follower.close();
    }
    assert.equal(reports().length, 1);
  } finally {
    await server.close();
    await cluster.stop();
  }
});
