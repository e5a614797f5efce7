// Event streams end with the right that opened them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readEvents, type StreamedEvent } from '../support/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS } from '../support/test-database.ts';
import { startMeanwhileApp, type MeanwhileApp, type Person } from './meanwhile-app.ts';
import { CHANGES } from './meanwhile-changes.ts';

const REMOTE = 'http://127.0.0.1:9/remote';
const REMOTE_PATH = `/remote-registries/${encodeURIComponent(REMOTE)}`;

for (const dialect of DIALECTS) {
  describe(`an event stream on ${dialect}`, () => {
    let app: MeanwhileApp;
    before(async () => {
      app = await startMeanwhileApp(dialect, { heartbeatMs: 20 });
      const headers = await app.superadmin();
      await app.api('POST', '/remote-registries', {
        headers,
        body: { url: REMOTE, name: 'Remote', apiKey: 'key', schedule: null },
      });
      // Streams begin with the state of the jobs that have one.
      await app.api('POST', '/storage/scrub', { headers });
    });
    after(() => app.close());

    async function watch(path: string, { headers }: Person) {
      const events: StreamedEvent[] = [];
      const response = await app.api('GET', path, { headers });
      assert.equal(response.status, 200);
      const { ended, cancel } = readEvents(response, (event) => events.push(event));
      await eventually(async () => {
        assert.notEqual(events.length, 0);
      });
      return { events, ended, cancel };
    }

    for (const path of ['/storage/events', `${REMOTE_PATH}/events`]) {
      for (const [name, change] of Object.entries(CHANGES['a superadmin'])) {
        test(`of ${path} ends, and is not opened again, once its caller was ${name}`, async () => {
          const [person, other] = [await app.user('admin'), await app.user('admin')];
          const [watched, continued] = [await watch(path, person), await watch(path, other)];
          await change.make(app, person);
          await watched.ended;
          const { status } = await app.api('GET', path, { headers: person.headers });
          assert.ok([401, 403].includes(status), `${status}`);
          await continued.cancel();
        });
      }
    }

    test('goes on while its caller keeps the right', async () => {
      const { events, ended, cancel } = await watch(`${REMOTE_PATH}/events`, await app.user('admin'));
      let hasEnded = false;
      void ended.then(() => {
        hasEnded = true;
      });
      const { length } = events;
      await app.api('POST', `${REMOTE_PATH}/sync`, { headers: await app.superadmin() });
      // The watcher asks for changes once a second: many heartbeats later.
      await eventually(async () => {
        assert.ok(events.length > length);
      });
      assert.ok(!hasEnded);
      await cancel();
    });
  });
}
