import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { query, readStoredState } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, patchArtefact, readDocument, uploadArtefact } from './documents.ts';
import { makeMirror } from './mirrors.ts';

const TARBALL = await npmTarball();
const ACME = { type: 'organization', id: 'acme' };

for (const dialect of DIALECTS) {
  describe(`documents on ${dialect}`, () => {
    let server: TestServer;
    let count = 0;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const make = async () => {
      const id = `doc-${++count}`;
      return { id, document: await uploadArtefact(server, id, { file: TARBALL }) };
    };
    const get = (id: string, headers = server.internal) => server.api('GET', artefactPath(id), { headers });
    const patch = (id: string, body: unknown) =>
      server.api('PATCH', artefactPath(id), { headers: server.internal, body });
    const remove = (id: string) => server.api('DELETE', artefactPath(id), { headers: server.internal });

    test('a document has an entity tag, and only the caller may cache it', async () => {
      const { id } = await make();
      const response = await get(id);
      assert.match(response.headers.get('etag') ?? '', /^"[\w-]+"$/);
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
      assert.equal(response.headers.get('cache-control'), 'private, no-cache');
      for (const header of ['Cookie', 'Authorization', 'X-Api-Key', 'X-Secret-Key', 'X-Account'])
        assert.ok(response.headers.get('vary')?.includes(header), header);
    });

    test('an unchanged document is not sent again', async () => {
      const { id } = await make();
      const etag = (await get(id)).headers.get('etag') ?? '';
      for (const ifNoneMatch of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const response = await get(id, { ...server.internal, 'if-none-match': ifNoneMatch });
        assert.deepEqual(
          [response.status, await response.text(), response.headers.get('etag')],
          [304, '', etag],
          ifNoneMatch,
        );
        assert.deepEqual(
          [response.headers.get('cache-control'), response.headers.get('content-length')],
          ['private, no-cache', null],
        );
        assert.ok(response.headers.get('vary'));
      }
      await patchArtefact(server, id, { title: { en: 'New' } });
      assert.equal((await get(id, { ...server.internal, 'if-none-match': etag })).status, 200);
    });

    test('callers who see less of a document get another entity tag', async () => {
      const { id } = await make();
      await patchArtefact(server, id, { public: true });
      const etags = await Promise.all(
        [server.internal, {}].map(async (headers) => (await get(id, headers)).headers.get('etag')),
      );
      assert.notEqual(etags[0], etags[1]);
    });

    test('absent and invisible artefacts give the same response', async () => {
      const { id } = await make();
      const problems = await Promise.all(
        [id, 'nowhere', '../x', 'npm'].map(async (path) =>
          readProblem(await server.api('GET', artefactPath(path)), 404, 'artefact_not_found'),
        ),
      );
      assert.equal(new Set(problems.map(({ title }) => title)).size, 1);
    });

    test('HEAD responds like GET, without the body', async () => {
      const { id } = await make();
      const [got, head] = await Promise.all([
        get(id),
        server.api('HEAD', artefactPath(id), { headers: server.internal }),
      ]);
      assert.deepEqual([head.status, head.headers.get('etag'), await head.text()], [200, got.headers.get('etag'), '']);
    });

    test('an edit of each field changes it and updatedAt only', async () => {
      const { id, document } = await make();
      const changes = {
        title: { fr: 'Été', en: 'Summer' },
        description: { en: 'Line one\nline two' },
        group: { fr: 'Cartes' },
        documentation: 'https://acme.example/doc?a=b#c',
        category: 'catalog',
        public: true,
        privateAccess: [
          ACME,
          { type: 'organization', id: 'acme', name: 'Acme', department: 'geo' },
          { type: 'user', id: 'uma' },
        ],
        deprecated: true,
      };
      let { updatedAt } = document;
      for (const [field, value] of Object.entries(changes)) {
        const changed = await patchArtefact(server, id, { [field]: value });
        assert.deepEqual(changed[field as keyof typeof changed], value);
        assert.ok(changed.updatedAt > updatedAt);
        assert.equal(changed.dataUpdatedAt, document.dataUpdatedAt);
        assert.deepEqual(await readDocument(server, id), changed);
        ({ updatedAt } = changed);
      }
      assert.deepEqual(
        { ...(await readDocument(server, id)), ...document, ...changes, updatedAt },
        { ...document, ...changes, updatedAt },
      );
    });

    test('null unsets a field', async () => {
      const { id, document } = await make();
      const set = {
        title: { en: 'a' },
        description: { en: 'b' },
        group: { en: 'c' },
        documentation: 'https://a.example',
        category: 'catalog',
        public: true,
        privateAccess: [ACME],
        deprecated: true,
      };
      await patchArtefact(server, id, set);
      const { updatedAt, ...rest } = await patchArtefact(
        server,
        id,
        Object.fromEntries(Object.keys(set).map((field) => [field, null])),
      );
      assert.deepEqual({ ...rest, updatedAt: '' }, { ...document, updatedAt: '' });
      assert.ok(updatedAt > document.updatedAt);
    });

    test('a localised text is replaced as a whole, and an empty one is unset', async () => {
      const { id } = await make();
      assert.deepEqual((await patchArtefact(server, id, { title: { fr: 'a', en: 'b' } })).title, { fr: 'a', en: 'b' });
      assert.deepEqual((await patchArtefact(server, id, { title: { en: 'c' } })).title, { en: 'c' });
      for (const empty of [{}, { fr: '' }, { fr: '', en: '' }])
        assert.equal((await patchArtefact(server, id, { title: empty })).title, undefined);
    });

    test('the access list contains each account once', async () => {
      const { id } = await make();
      const { privateAccess } = await patchArtefact(server, id, {
        privateAccess: [
          ACME,
          { ...ACME, name: 'Acme' },
          { ...ACME, department: 'geo' },
          { ...ACME, department: 'geo' },
        ],
      });
      assert.deepEqual(
        privateAccess.map(({ department }) => department),
        [undefined, 'geo'],
      );
    });

    test('an empty patch changes nothing', async () => {
      const { id, document } = await make();
      assert.deepEqual(await patchArtefact(server, id, {}), document);
      assert.deepEqual(await readDocument(server, id), document);
    });

    test('uploads keep curated fields, unless they bring a new title', async () => {
      const { id } = await make();
      await patchArtefact(server, id, {
        title: { en: 'Curated' },
        public: true,
        deprecated: true,
        privateAccess: [ACME],
      });
      const again = await uploadArtefact(server, id, { file: TARBALL });
      assert.deepEqual(
        [again.title, again.public, again.deprecated, again.privateAccess],
        [{ en: 'Curated' }, true, true, [ACME]],
      );
      assert.deepEqual(
        (await uploadArtefact(server, id, { file: TARBALL, fields: { title: '{"fr":"Autre"}' } })).title,
        {
          fr: 'Autre',
        },
      );
    });

    for (const [why, body] of Object.entries({
      'an unknown field': { colour: 'red' },
      'a read-only field': { dataUpdatedAt: '2026-01-01T00:00:00.000Z' },
      'the format': { format: 'file' },
      'the origin': { origin: 'https://a.example' },
      'a title that is a string': { title: 'x' },
      'a title in another language': { title: { de: 'x' } },
      'a title over 2,000 characters': { title: { en: 'x'.repeat(2001) } },
      'a description over 20,000 characters': { description: { fr: 'x'.repeat(20_001) } },
      'a group with a NUL': { group: { fr: 'a\0b' } },
      'a title with a NUL': { title: { fr: 'a\0b' } },
      'a documentation URL of another scheme': { documentation: 'javascript:alert(1)' },
      'a documentation URL that is a path': { documentation: '/doc' },
      'a documentation URL with spaces': { documentation: 'https://a b' },
      'public as a string': { public: 'yes' },
      'deprecated as a number': { deprecated: 1 },
      'an account without an id': { privateAccess: [{ type: 'user' }] },
      'an account of another type': { privateAccess: [{ type: 'team', id: 'x' }] },
      'an account with an unknown field': { privateAccess: [{ ...ACME, role: 'admin' }] },
      'an account with an empty department': { privateAccess: [{ ...ACME, department: '' }] },
      'an access list that is not an array': { privateAccess: ACME },
      'an array as body': [],
      'a string as body': '"x"',
    })) {
      test(`a patch is rejected and changes nothing: ${why}`, async () => {
        const { id, document } = await make();
        await readProblem(await patch(id, body), 400, 'request_invalid');
        assert.deepEqual(await readDocument(server, id), document);
      });
    }

    test('an invalid category or a malformed body changes nothing', async () => {
      const { id, document } = await make();
      await readProblem(await patch(id, { category: 'plugin', title: { en: 'lost' } }), 400, 'category_invalid');
      for (const body of ['{"title":', 'null', '']) await readProblem(await patch(id, body), 400, 'body_invalid');
      await uploadArtefact(server, 'a-file', { format: 'file', file: TARBALL });
      await readProblem(await patch('a-file', { category: 'processing' }), 400, 'category_invalid');
      assert.deepEqual(await readDocument(server, id), document);
    });

    test('only the access to a mirror can be edited', async () => {
      const { id } = await make();
      await makeMirror(server, id);
      const before = await readDocument(server, id);
      for (const body of [
        { title: { en: 'x' } },
        { description: null },
        { group: null },
        { documentation: null },
        { category: 'catalog' },
        { deprecated: true },
        { public: true, title: { en: 'x' } },
      ]) {
        await readProblem(await patch(id, body), 403, 'mirrored_read_only');
      }
      assert.deepEqual(await readDocument(server, id), before);
      assert.deepEqual((await patchArtefact(server, id, { public: true, privateAccess: [ACME] })).privateAccess, [
        ACME,
      ]);
      await readProblem(await remove(id), 403, 'mirrored_read_only');
      assert.equal((await readDocument(server, id)).public, true);
    });

    test('an absent artefact cannot be edited or deleted', async () => {
      await readProblem(await patch('nowhere', { public: true }), 404, 'artefact_not_found');
      await readProblem(await remove('nowhere'), 404, 'artefact_not_found');
    });

    test('deleting an artefact deletes its slots and access list, and frees its id', async () => {
      const { id } = await make();
      await patchArtefact(server, id, { privateAccess: [ACME], public: true });
      assert.deepEqual((await remove(id)).status, 204);
      await readProblem(await get(id), 404, 'artefact_not_found');
      const { artefacts, slots } = await readStoredState(server);
      assert.ok(![...artefacts, ...slots].some((row) => row.startsWith(`${id} `)));
      assert.deepEqual(await query(server, `select * from artefact_access where artefact_id = '${id}'`), []);
      const again = await uploadArtefact(server, id, { format: 'file', file: TARBALL });
      assert.deepEqual([again.public, again.privateAccess, again.format], [false, [], 'file']);
    });

    test('edits and deletions are in the audit log', async () => {
      const { id } = await make();
      await patchArtefact(server, id, { public: true, title: { en: 'x' } });
      await server.api('DELETE', artefactPath(id), { headers: await server.superadmin() });
      const events = await query<{ action: string; actor_kind: string; details: string }>(
        server,
        `select action, actor_kind, details from audit_events where target_id = '${id}' order by at`,
      );
      assert.deepEqual(
        events.map(({ action, actor_kind: kind }) => [action, kind]),
        [
          ['artefact.upload', 'internal'],
          ['artefact.edit', 'internal'],
          ['artefact.delete', 'user'],
        ],
      );
      assert.deepEqual((JSON.parse(events[1]!.details) as { fields: string[] }).fields, ['public', 'title']);
    });
  });
}
