// A right that ends while the body of an upload is on its way: nothing is published.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { assertTidy, query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS } from '../support/test-database.ts';
import { startMeanwhileApp, type MeanwhileApp, type Person } from './meanwhile-app.ts';
import { CHANGES, createCaller } from './meanwhile-changes.ts';

const TARBALL = await npmTarball({ name: 'p', files: { 'index.js': 'x'.repeat(5000) } });
const UPLOADERS = ['a superadmin', 'an upload key'] as const;
const TUS = { 'tus-resumable': '1.0.0' };
const BYTES = { ...TUS, 'content-type': 'application/offset+octet-stream' };

for (const dialect of DIALECTS) {
  describe(`an upload in progress, on ${dialect}`, () => {
    let app: MeanwhileApp;
    before(async () => {
      app = await startMeanwhileApp(dialect);
    });
    after(() => app.close());

    const isPublished = async (id: string) =>
      (await app.api('GET', `/artefacts/${id}`, { headers: app.internal })).status === 200;

    /** Starts a resumable upload, and sends the first half of its bytes. */
    async function beginResumable({ headers }: Person) {
      const id = randomUUID();
      const created = await app.api('POST', '/uploads', {
        headers: {
          ...headers,
          ...TUS,
          'upload-length': `${TARBALL.length}`,
          'upload-metadata': `id ${btoa(id)},format ${btoa('npm')}`,
        },
      });
      const path = `/${created.headers.get('location') ?? ''}`;
      const connection = await openConnection(app.url);
      await connection.send(
        requestHead('PATCH', `/api/v1${path}`, {
          ...headers,
          ...BYTES,
          'upload-offset': 0,
          'content-length': TARBALL.length,
        }),
      );
      await connection.send(TARBALL.subarray(0, 100));
      await eventually(async () => {
        const uploads = await query<{ id: string }>(app, 'select id from resumable_uploads where received is null');
        assert.ok(uploads.some((it) => path === `/uploads/${it.id}`));
      });
      return {
        id,
        path,
        async finish(): Promise<string> {
          await connection.send(TARBALL.subarray(100));
          const { status, body } = await connection.answer();
          connection.end();
          return status < 400 ? 'success' : `${status} ${(JSON.parse(body) as { code: string }).code}`;
        },
      };
    }
    const head = (path: string, headers: Record<string, string>) =>
      app.api('HEAD', path, { headers: { ...headers, ...TUS } });

    for (const kind of UPLOADERS) {
      for (const [name, change] of Object.entries(CHANGES[kind])) {
        test(`by a form is refused, and stores nothing, if ${kind} was ${name}`, async () => {
          const person = await createCaller(app, kind);
          const id = randomUUID();
          const upload = await beginSlowUpload(app, { id, file: TARBALL, headers: person.headers });
          await change.make(app, person);
          const { status, code } = await upload.finish();
          assert.equal(`${status} ${code}`, change.refusal);
          assert.ok(!(await isPublished(id)));
          await assertTidy(app);
        });
      }
    }

    for (const kind of UPLOADERS) {
      for (const [name, change] of Object.entries(CHANGES[kind])) {
        test(`that is resumable is refused, and publishes nothing, if ${kind} was ${name}`, async () => {
          const person = await createCaller(app, kind);
          const upload = await beginResumable(person);
          await change.make(app, person);
          assert.equal(await upload.finish(), change.refusal);
          assert.ok(!(await isPublished(upload.id)));
        });
      }
    }

    test('that sends its bytes with the creation of a resumable upload leaves nothing', async () => {
      const person = await app.user('admin');
      const connection = await openConnection(app.url);
      await connection.send(
        requestHead('POST', '/api/v1/uploads', {
          ...person.headers,
          ...BYTES,
          'upload-length': TARBALL.length,
          'upload-metadata': `id ${btoa(randomUUID())},format ${btoa('npm')}`,
          'content-length': TARBALL.length,
        }),
      );
      await connection.send(TARBALL.subarray(0, 100));
      const uploads = () => query(app, `select id from resumable_uploads where created_by = 'user:${person.id}'`);
      await eventually(async () => {
        assert.equal((await uploads()).length, 1);
      });
      await CHANGES['a superadmin']['signed out']?.make(app, person);
      await connection.send(TARBALL.subarray(100));
      assert.equal((await connection.answer()).status, 401);
      connection.end();
      assert.deepEqual(await uploads(), []);
    });

    test('that is resumable can be completed in a new session of the same user', async () => {
      const person = await app.user('admin');
      const upload = await beginResumable(person);
      await CHANGES['a superadmin']['signed out']?.make(app, person);
      assert.equal(await upload.finish(), '401 session_ended');
      const other = await app.user('admin');
      assert.equal((await head(upload.path, other.headers)).status, 404);

      const second = { ...person, ...(await app.session(person.id)) };
      const { headers, hasRun } = app.beforeTransaction(async () => {
        await CHANGES['a superadmin']['signed out']?.make(app, second);
      });
      assert.equal((await head(upload.path, { ...second.headers, ...headers })).status, 401);
      assert.ok(hasRun() && !(await isPublished(upload.id)));

      const third = await app.session(person.id);
      assert.equal((await head(upload.path, third.headers)).status, 200);
      assert.ok(await isPublished(upload.id));
    });

    test('that is resumable can be completed with the rotated key', async () => {
      const person = await app.key();
      const upload = await beginResumable(person);
      const rotation = await app.api('POST', `/api-keys/${person.id}/rotate`, {
        headers: await app.superadmin(),
        body: { overlapSeconds: 0 },
      });
      const { key } = (await rotation.json()) as { key: string };
      assert.equal(await upload.finish(), '401 api_key_revoked');
      assert.equal((await head(upload.path, { 'x-api-key': key })).status, 200);
      assert.ok(await isPublished(upload.id));
    });
  });
}
