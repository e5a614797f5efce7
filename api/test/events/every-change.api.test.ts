// Each route that writes, and its events: an event exists exactly when its change does.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS } from '../support/test-database.ts';
import { ACCOUNT_ROWS } from '../access/meanwhile-account-rows.ts';
import type { MeanwhileApp, Person } from '../access/meanwhile-app.ts';
import { createCaller } from '../access/meanwhile-changes.ts';
import { CONTENT_ROWS } from '../access/meanwhile-content-rows.ts';
import {
  sendRow,
  startWrittenApp,
  type WriteRequest,
  type WriteRow,
  type WrittenApp,
} from '../access/meanwhile-row.ts';
import { readAll, type CloudEvent } from './event-readers.ts';
import { untilReadable } from './outbox-fixture.ts';

const ROWS = [...ACCOUNT_ROWS, ...CONTENT_ROWS];
/** The events of each route: none of all others, which change nothing that consumers read. */
const EVENTS: Record<string, string> = {
  'POST /artefacts/npm/{id}': 'artefact.created',
  'POST /artefacts/file/{id}': 'artefact.created',
  'PATCH /uploads/{uploadId}': 'artefact.created',
  'PATCH /artefacts/{id}': 'artefact.access_changed',
  'DELETE /artefacts/{id}': 'artefact.deleted',
  'DELETE /artefacts/{id}/tarballs/{architecture}': 'slot.removed',
  'POST /artefacts/{id}/thumbnail': 'artefact.metadata_changed',
  'DELETE /artefacts/{id}/thumbnail': 'artefact.metadata_changed',
  'DELETE /api-keys/{id}': 'key.revoked',
};
const WITHOUT_EVENTS = new Set(
  (
    'POST /upload-tokens|POST /trusted-publishers|DELETE /trusted-publishers/{id}|POST /uploads|' +
    'POST /uploads/{uploadId}|DELETE /uploads/{uploadId}|POST /storage/sweep|POST /storage/scrub|' +
    'POST /remote-registries|PATCH /remote-registries/{id}|DELETE /remote-registries/{id}|' +
    'POST /remote-registries/{id}/selected-artefacts|DELETE /remote-registries/{id}/selected-artefacts/{artefactId}|' +
    'POST /remote-registries/{id}/sync|PUT /session/account|DELETE /sessions|DELETE /sessions/{id}|' +
    'POST /invitations/find|POST /invitations/accept|POST /users|PATCH /users/{id}|DELETE /users/{id}|' +
    'POST /users/{id}/password-link|DELETE /users/{id}/provider-link|POST /organizations|PATCH /organizations/{id}|' +
    'DELETE /organizations/{id}|PUT /organizations/{id}/departments/{department}|' +
    'DELETE /organizations/{id}/departments/{department}|PUT /organizations/{id}/members/{userId}|' +
    'DELETE /organizations/{id}/members/{userId}|POST /organizations/{id}/invitations|' +
    'DELETE /organizations/{id}/invitations/{invitation}|POST /access-grants|DELETE /access-grants/{id}|' +
    'POST /api-keys|POST /api-keys/{id}/rotate'
  ).split('|'),
);
/** Bodies of PATCH in turn on one artefact, with the events of each: `fields` of metadata, or the new value. */
const EDITS: [body: object, events: string][] = [
  [{ title: { en: 'One' } }, 'metadata_changed title'],
  [{ title: { en: 'One' } }, ''],
  [{}, ''],
  [
    { title: { en: 'Two' }, group: { en: 'G' }, documentation: 'https://example.org' },
    'metadata_changed title,group,documentation',
  ],
  [{ description: { en: 'D' }, public: true }, 'metadata_changed description; access_changed true'],
  [{ public: true }, ''],
  [{ privateAccess: [{ type: 'user', id: 'a' }] }, 'access_changed true'],
  [{ privateAccess: [{ type: 'user', id: 'a', name: 'Another' }] }, ''],
  [{ public: false, privateAccess: [{ type: 'organization', id: 'a' }] }, 'access_changed false'],
  [{ privateAccess: [{ type: 'organization', id: 'a', department: 'd' }] }, 'access_changed false'],
  [{ privateAccess: [] }, 'access_changed false'],
  [{ deprecated: true }, 'deprecated true'],
  [{ deprecated: true }, ''],
  [
    { deprecated: false, title: { en: 'Three' }, public: true },
    'metadata_changed title; access_changed true; deprecated false',
  ],
];

/** The rest of a resumable upload whose bytes have all arrived. */
function goingOn({ headers, body, ...request }: WriteRequest): WriteRequest {
  return { ...request, body: Buffer.alloc(0), headers: { ...headers, 'upload-offset': `${(body as Buffer).length}` } };
}

for (const dialect of DIALECTS) {
  describe(`events of changes, on ${dialect}`, () => {
    let app: MeanwhileApp;
    let written: WrittenApp;
    before(async () => {
      written = await startWrittenApp(dialect);
      ({ app } = written);
    });
    after(() => written.close());

    async function send(row: WriteRow, person: Pick<Person, 'headers'>, request: WriteRequest): Promise<number> {
      const response = await sendRow(app, row, person, request);
      await response.text();
      return response.status;
    }
    async function during(work: () => Promise<unknown>): Promise<{ events: CloudEvent[]; lines: number }> {
      const lines = async () =>
        Number(
          (
            await app.database.db
              .selectFrom('audit_events')
              .select(({ fn }) => fn.countAll().as('n'))
              .executeTakeFirstOrThrow()
          ).n,
        );
      // What came before may be held back by other tests.
      await untilReadable(app.database);
      const [known, before] = [await readAll(app, app.internal, { size: 1000 }), await lines()];
      await work();
      await untilReadable(app.database);
      const after = known.at(-1)?.id ?? 'oldest';
      return { events: await readAll(app, app.internal, { after }), lines: (await lines()) - before };
    }
    /** Runs work while rows of a table cannot be inserted. */
    async function without(table: string, work: () => Promise<unknown>): Promise<void> {
      const run = (statement: string) => sql.raw(statement).execute(app.database.db);
      if (dialect === 'sqlite')
        await run(`create trigger refuse before insert on ${table} begin select raise(abort, 'refused'); end`);
      else {
        await run(
          "create or replace function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$",
        );
        await run(`create trigger refuse before insert on ${table} for each row execute function refuse()`);
      }
      try {
        await work();
      } finally {
        await run(`drop trigger refuse${dialect === 'sqlite' ? '' : ` on ${table}`}`);
      }
    }

    for (const row of ROWS) {
      const expected = EVENTS[row.route] ?? '';
      for (const kind of row.by) {
        const prepare = async () => {
          const person = await createCaller(app, kind);
          return { person, request: await row.prepare(written, person) };
        };
        test(`${row.route} by ${kind}: ${expected || 'none'}`, async () => {
          const { person, request } = await prepare();
          let status = 0;
          const { events, lines } = await during(async () => (status = await send(row, person, request)));
          assert.ok(status < 300, `${status}`);
          assert.equal(events.map(({ type }) => type).join(), expected && `berth.${expected}`);
          if (expected !== '') assert.ok(lines > 0);
          for (const { data } of events)
            assert.deepEqual((data['by'] as { kind: string }).kind, kind === 'an upload key' ? 'upload-key' : 'user');
        });

        for (const table of expected === '' ? [] : ['events', 'audit_events'])
          test(`${row.route} by ${kind}: changes nothing if its row of ${table} cannot be written`, async () => {
            const { person, request } = await prepare();
            const before = await app.dump();
            let status = 0;
            const { events, lines } = await during(() =>
              without(table, async () => (status = await send(row, person, request))),
            );
            assert.ok(status >= 500, `${status}`);
            assert.deepEqual({ events, lines }, { events: [], lines: 0 });
            assert.deepEqual(await app.dump(), before);
            // The fault was the only reason.
            assert.ok((await send(row, person, row.discards ? goingOn(request) : request)) < 300);
          });
      }

      if (expected !== '')
        test(`${row.route}: none if it is refused`, async () => {
          const request = await row.prepare(written, await createCaller(app, row.by[0]!));
          let status = 0;
          const { events, lines } = await during(
            async () => (status = await send(row, await app.user('user'), request)),
          );
          assert.ok([403, 404].includes(status), `${status}`);
          assert.deepEqual({ events, lines }, { events: [], lines: 0 });
        });
    }

    test('edits have one event for each kind of change, and none if nothing changes', async () => {
      await app.upload('edited', { format: 'file', file: Buffer.from('x') });
      for (const [body, expected] of EDITS) {
        const { events } = await during(async () => {
          const response = await app.api('PATCH', '/artefacts/edited', { headers: app.internal, body });
          assert.equal(response.status, 200, await response.text());
        });
        const described = events.map(({ type, data: { by: _by, ...data } }) => {
          const [value] = Object.values(data);
          return `${type.replace('berth.artefact.', '')} ${String(value)}`;
        });
        assert.equal(described.join('; '), expected, JSON.stringify(body));
      }
    });

    test('uploads say what is new, once', async () => {
      const file = await npmTarball({ name: 'p', version: '1.2.3' });
      const upload = async (architecture: string) => {
        const { events } = await during(async () => {
          assert.equal((await app.upload('slots', { file, fields: { architecture } })).status, 201);
        });
        const document = (await (
          await app.api('GET', '/artefacts/slots', { headers: app.internal })
        ).json()) as Record<string, unknown>;
        const tarballs = document['tarballs'] as Record<string, { digest: string; size: number }>;
        assert.equal(events.length, 1);
        const { type, subject, data } = events[0]!;
        assert.deepEqual(data, {
          format: 'npm',
          category: document['category'],
          version: '1.2.3',
          dataUpdatedAt: document['dataUpdatedAt'],
          slots: { [architecture]: { digest: tarballs[architecture]?.digest, size: file.length, version: '1.2.3' } },
          by: { kind: 'internal' },
        });
        return `${subject} ${type}`;
      };
      assert.equal(await upload('x64'), 'slots berth.artefact.created');
      assert.equal(await upload('arm64'), 'slots berth.artefact.updated');
      assert.equal(await upload('x64'), 'slots berth.artefact.updated');
    });

    test('the table and the OpenAPI document have the same routes', async () => {
      const { paths } = (await (await app.api('GET', '/openapi.json')).json()) as { paths: Record<string, object> };
      const routes = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods)
          .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
          .map((method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`),
      );
      const ours = routes.filter((route) => !route.includes(' /api/auth/'));
      assert.deepEqual([...Object.keys(EVENTS), ...WITHOUT_EVENTS].sort(), ours.sort());
    });
  });
}
