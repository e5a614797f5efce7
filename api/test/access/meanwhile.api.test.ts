// A right that ends between the authentication of a request and its transaction: nothing is changed.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { ACCOUNT_ROWS } from './meanwhile-account-rows.ts';
import type { MeanwhileApp, Person } from './meanwhile-app.ts';
import { CHANGES, createCaller, type Change } from './meanwhile-changes.ts';
import { CONTENT_ROWS } from './meanwhile-content-rows.ts';
import { sendRow, startWrittenApp, type WriteRequest, type WriteRow, type WrittenApp } from './meanwhile-row.ts';

const ROWS = [...ACCOUNT_ROWS, ...CONTENT_ROWS];
const METHODS = new Set(['post', 'put', 'patch', 'delete']);
/** Sends a secret in its body, and changes nothing. */
const READING = new Set(['POST /invitations/find']);

for (const dialect of DIALECTS) {
  describe(`a caller who loses a right during a request, on ${dialect}`, () => {
    let app: MeanwhileApp;
    let written: WrittenApp;
    before(async () => {
      written = await startWrittenApp(dialect);
      ({ app } = written);
    });
    after(() => written.close());

    /** Sends the request; returns the status, with the code of a problem. */
    async function send(row: WriteRow, person: Person, request: WriteRequest): Promise<string> {
      const response = await sendRow(app, row, person, request);
      const text = await response.text();
      return response.ok ? 'success' : `${response.status} ${(JSON.parse(text) as { code: string }).code}`;
    }

    async function sendAndChange(row: WriteRow, person: Person, change: Change) {
      const request = await row.prepare(written, person);
      let between: string[] = [];
      const { headers, hasRun } = app.beforeTransaction(async () => {
        await change.make(app, person);
        between = await app.dump();
      });
      const answer = await send(row, person, { ...request, headers: { ...request.headers, ...headers } });
      assert.ok(hasRun(), 'the request began no transaction');
      return { answer, between };
    }

    for (const row of ROWS) {
      for (const kind of row.by) {
        for (const [name, change] of Object.entries(CHANGES[kind])) {
          if (row.needsOnlySession && change.keepsSession)
            test(`${row.route} by ${kind}: still allowed if ${name}`, async () => {
              const { answer } = await sendAndChange(row, await createCaller(app, kind), change);
              assert.equal(answer, 'success');
            });
          else
            test(`${row.route} by ${kind}: refused if ${name}`, async () => {
              const { answer, between } = await sendAndChange(row, await createCaller(app, kind), change);
              assert.equal(answer, row.refusals?.[name] ?? change.refusal);
              const ignored = row.discards && answer.startsWith('403') ? 'resumable_uploads|' : '-';
              const changed = (rows: string[]) => rows.filter((it) => !it.startsWith(ignored));
              assert.deepEqual(changed(await app.dump()), changed(between));
            });
        }

        test(`${row.route} by ${kind}: allowed otherwise, and changes something`, async () => {
          const person = await createCaller(app, kind);
          const request = await row.prepare(written, person);
          const before = await app.dump();
          assert.equal(await send(row, person, request), 'success');
          assert.notDeepEqual(await app.dump(), before);
        });
      }
    }

    test('the rows and the OpenAPI document have the same routes', async () => {
      const response = await app.api('GET', '/openapi.json');
      const { paths } = (await response.json()) as { paths: Record<string, object> };
      const routes = Object.entries(paths).flatMap(([path, methods]) =>
        Object.keys(methods)
          .filter((method) => METHODS.has(method))
          .map((method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`),
      );
      // better-auth's own: they change the session or the password of whoever proves who they are in the same call.
      const ours = routes.filter((route) => !route.includes(' /api/auth/') && !READING.has(route));
      assert.deepEqual([...new Set(ROWS.map(({ route }) => route))].sort(), ours.sort());
    });
  });
}
