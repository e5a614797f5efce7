import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

interface Event {
  _id: string;
  at: string;
  actor: { kind: string; id?: string; name?: string };
  action: string;
  target: { type: string; id: string };
  outcome: string;
  ip?: string;
  requestId?: string;
  details?: Record<string, unknown>;
}

for (const dialect of DIALECTS) {
  describe(`the audit log on ${dialect}`, () => {
    let server: TestServer;
    let superadmin: Record<string, string>;
    before(async () => {
      server = await startTestServer({ dialect });
      superadmin = await server.superadmin();
      for (const id of ['one', 'two', 'three'])
        await server.upload(id, { format: 'file', file: Buffer.from(id), fields: {} });
      await server.api('PATCH', '/artefacts/one', { headers: superadmin, body: { public: true } });
      await server.api('DELETE', '/artefacts/two', { headers: superadmin });
      await server.uploadKey({ allowedName: 'one' });
    });
    after(() => server.close());

    const list = async (query: Record<string, string> = {}) => {
      const response = await server.api('GET', `/audit-events?${new URLSearchParams(query).toString()}`, {
        headers: superadmin,
      });
      assert.equal(response.status, 200);
      return (await response.json()) as { results: Event[]; count: number };
    };
    const exported = async (query: Record<string, string> = {}) => {
      const response = await server.api('GET', `/audit-events/export?${new URLSearchParams(query).toString()}`, {
        headers: superadmin,
      });
      assert.deepEqual(
        [response.status, response.headers.get('content-type')],
        [200, 'application/x-ndjson; charset=utf-8'],
      );
      return (await response.text())
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Event);
    };

    test('records actor, action, target, address and time', async () => {
      const { results } = await list({ target: 'one' });
      assert.deepEqual(
        results.map(({ action }) => action),
        ['artefact.edit', 'artefact.upload'],
      );
      const [changed, uploaded] = results;
      assert.deepEqual(
        [changed?.actor.kind, changed?.actor.name, changed?.target, changed?.outcome],
        ['user', 'Administrator', { type: 'artefact', id: 'one' }, 'success'],
      );
      assert.deepEqual(uploaded?.actor, { kind: 'internal' });
      assert.equal(uploaded?.ip, '127.0.0.1');
      assert.ok(uploaded.requestId && Math.abs(Date.parse(uploaded.at) - Date.now()) < 60_000);
    });

    test('can be filtered by every field and paged', async () => {
      const counts = async (query: Record<string, string>) => (await list(query)).count;
      const all = await counts({});
      assert.equal(await counts({ action: 'artefact.upload' }), 3);
      assert.equal(await counts({ action: 'artefact.' }), 5);
      assert.equal(await counts({ action: 'artefact' }), 0);
      assert.equal(await counts({ actorKind: 'internal', action: 'artefact.' }), 3);
      assert.equal(await counts({ targetType: 'api-key' }), 1);
      assert.equal(await counts({ outcome: 'failed' }), 0);
      const [changed] = (await list({ action: 'artefact.edit' })).results;
      assert.equal(await counts({ actor: changed?.actor.id ?? '', targetType: 'artefact' }), 2);
      assert.equal(await counts({ from: '2100-01-01T00:00:00Z' }), 0);
      assert.equal(await counts({ to: '2100-01-01T00:00:00+02:00' }), all);
      const pages = await Promise.all(
        [0, 2, 4].map((skip) => list({ action: 'artefact.', skip: `${skip}`, size: '2' })),
      );
      assert.deepEqual(
        pages.map(({ results, count }) => [results.length, count]),
        [
          [2, 5],
          [2, 5],
          [1, 5],
        ],
      );
      assert.equal(new Set(pages.flatMap(({ results }) => results.map(({ _id }) => _id))).size, 5);
    });

    test('is exported as JSON Lines, oldest first', async () => {
      const events = await exported({ action: 'artefact.' });
      assert.deepEqual(
        events.map(({ action, target }) => `${action} ${target.id}`),
        [
          'artefact.upload one',
          'artefact.upload two',
          'artefact.upload three',
          'artefact.edit one',
          'artefact.delete two',
        ],
      );
      assert.deepEqual((await list({ action: 'artefact.' })).results.reverse(), events);
    });

    test('refuses an invalid query', async () => {
      for (const query of ['from=yesterday', 'actorKind=robot', 'outcome=maybe', 'colour=red']) {
        await readProblem(
          await server.api('GET', `/audit-events?${query}`, { headers: superadmin }),
          400,
          'request_invalid',
        );
      }
      await readProblem(
        await server.api('GET', '/audit-events/export?size=1', { headers: superadmin }),
        400,
        'request_invalid',
      );
    });

    test('is read-only for everyone', async () => {
      const [event] = (await list()).results;
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        for (const path of ['/audit-events', `/audit-events/${event?._id}`])
          assert.equal((await server.api(method, path, { headers: superadmin, body: {} })).status, 404);
      }
    });
  });
}
