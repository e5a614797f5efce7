import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { query, readStoredState } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, patched, readDocument, uploaded } from './documents.ts';
import { makeMirror } from './mirrors.ts';

const TARBALL = await npmTarball();
const ACME = { type: 'organization', id: 'acme' };

for (const dialect of DIALECTS) {
  describe(`a document on ${dialect}`, () => {
    let server: TestServer;
    let count = 0;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const make = async () => {
      const id = `doc-${++count}`;
      return { id, document: await uploaded(server, id, { file: TARBALL }) };
    };
    const patch = (id: string, body: unknown, headers = server.internal) =>
      server.api('PATCH', artefactPath(id), { headers, body });

    test('is answered with an entity tag, for the caller alone to keep', async () => {
      const { id } = await make();
      const response = await server.api('GET', artefactPath(id), { headers: server.internal });
      assert.match(response.headers.get('etag') ?? '', /^"[\w-]+"$/);
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
      assert.equal(response.headers.get('cache-control'), 'private, no-cache');
      for (const header of ['Cookie', 'Authorization', 'X-Api-Key', 'X-Secret-Key', 'X-Account'])
        assert.ok(response.headers.get('vary')?.includes(header), header);
    });

    test('is not sent again to who holds it', async () => {
      const { id } = await make();
      const etag = (await server.api('GET', artefactPath(id), { headers: server.internal })).headers.get('etag') ?? '';
      for (const ifNoneMatch of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
        const response = await server.api('GET', artefactPath(id), {
          headers: { ...server.internal, 'if-none-match': ifNoneMatch },
        });
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
      await patched(server, id, { title: { en: 'New' } });
      assert.equal(
        (await server.api('GET', artefactPath(id), { headers: { ...server.internal, 'if-none-match': etag } })).status,
        200,
      );
    });

    test('has another entity tag for who sees less of it', async () => {
      const { id } = await make();
      await patched(server, id, { public: true });
      const etags = await Promise.all(
        [server.internal, {}].map(async (headers) =>
          (await server.api('GET', artefactPath(id), { headers })).headers.get('etag'),
        ),
      );
      assert.notEqual(etags[0], etags[1]);
    });

    test('that is absent or not visible is not there, in the same words', async () => {
      const { id } = await make();
      const problems = await Promise.all(
        [id, 'nowhere', '../x', 'npm'].map(async (path) =>
          readProblem(await server.api('GET', artefactPath(path)), 404, 'artefact_not_found'),
        ),
      );
      assert.equal(new Set(problems.map(({ title }) => title)).size, 1);
    });

    test('answers HEAD as GET, without the body', async () => {
      const { id } = await make();
      const [got, head] = await Promise.all([
        server.api('GET', artefactPath(id), { headers: server.internal }),
        server.api('HEAD', artefactPath(id), { headers: server.internal }),
      ]);
      assert.deepEqual([head.status, head.headers.get('etag'), await head.text()], [200, got.headers.get('etag'), '']);
    });

    test('is changed field by field, which moves only updatedAt', async () => {
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
        const changed = await patched(server, id, { [field]: value });
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

    test('loses what is set to null', async () => {
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
      await patched(server, id, set);
      const { updatedAt, ...rest } = await patched(
        server,
        id,
        Object.fromEntries(Object.keys(set).map((field) => [field, null])),
      );
      assert.deepEqual({ ...rest, updatedAt: '' }, { ...document, updatedAt: '' });
      assert.ok(updatedAt > document.updatedAt);
    });

    test('takes a text in both languages as a whole, and an empty one as none', async () => {
      const { id } = await make();
      assert.deepEqual((await patched(server, id, { title: { fr: 'a', en: 'b' } })).title, { fr: 'a', en: 'b' });
      assert.deepEqual((await patched(server, id, { title: { en: 'c' } })).title, { en: 'c' });
      for (const empty of [{}, { fr: '' }, { fr: '', en: '' }])
        assert.equal((await patched(server, id, { title: empty })).title, undefined);
    });

    test('names each account once in its access list', async () => {
      const { id } = await make();
      const { privateAccess } = await patched(server, id, {
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

    test('stays as it is after an empty change', async () => {
      const { id, document } = await make();
      assert.deepEqual(await patched(server, id, {}), document);
      assert.deepEqual(await readDocument(server, id), document);
    });

    test('keeps what was curated over uploads, and a title that an upload brings replaces the old one', async () => {
      const { id } = await make();
      await patched(server, id, { title: { en: 'Curated' }, public: true, deprecated: true, privateAccess: [ACME] });
      const again = await uploaded(server, id, { file: TARBALL });
      assert.deepEqual(
        [again.title, again.public, again.deprecated, again.privateAccess],
        [{ en: 'Curated' }, true, true, [ACME]],
      );
      assert.deepEqual((await uploaded(server, id, { file: TARBALL, fields: { title: '{"fr":"Autre"}' } })).title, {
        fr: 'Autre',
      });
    });

    for (const [why, body] of Object.entries({
      'an unknown field': { colour: 'red' },
      'a field of the server': { dataUpdatedAt: '2026-01-01T00:00:00.000Z' },
      'the format': { format: 'file' },
      'the origin': { origin: 'https://a.example' },
      'a title as text': { title: 'x' },
      'a title in another language': { title: { de: 'x' } },
      'a title over 2,000 characters': { title: { en: 'x'.repeat(2001) } },
      'a description over 2,000 characters': { description: { fr: 'x'.repeat(2001) } },
      'a group with a NUL': { group: { fr: 'a\0b' } },
      'a title with a NUL': { title: { fr: 'a\0b' } },
      'a documentation that is no web address': { documentation: 'javascript:alert(1)' },
      'a documentation that is a path': { documentation: '/doc' },
      'a documentation with spaces': { documentation: 'https://a b' },
      'public as text': { public: 'yes' },
      'deprecated as a number': { deprecated: 1 },
      'an account without an id': { privateAccess: [{ type: 'user' }] },
      'an account of another type': { privateAccess: [{ type: 'team', id: 'x' }] },
      'an account with an unknown field': { privateAccess: [{ ...ACME, role: 'admin' }] },
      'an account with an empty department': { privateAccess: [{ ...ACME, department: '' }] },
      'an access list that is none': { privateAccess: ACME },
      'an array': [],
      'text': '"x"',
      'nothing': 'null',
    })) {
      test(`is not changed by ${why}`, async () => {
        const { id, document } = await make();
        await readProblem(await patch(id, body), 400, 'request_invalid');
        assert.deepEqual(await readDocument(server, id), document);
      });
    }

    test('is not changed by a wrong category or a broken body', async () => {
      const { id, document } = await make();
      await readProblem(await patch(id, { category: 'plugin', title: { en: 'lost' } }), 400, 'category_invalid');
      await readProblem(await patch(id, '{"title":'), 400, 'body_invalid');
      await uploaded(server, 'a-file', { format: 'file', file: TARBALL });
      await readProblem(await patch('a-file', { category: 'processing' }), 400, 'category_invalid');
      assert.deepEqual(await readDocument(server, id), document);
    });

    test('of a mirror takes only who may see it', async () => {
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
      assert.deepEqual((await patched(server, id, { public: true, privateAccess: [ACME] })).privateAccess, [ACME]);
      await readProblem(
        await server.api('DELETE', artefactPath(id), { headers: server.internal }),
        403,
        'mirrored_read_only',
      );
      assert.equal((await readDocument(server, id)).public, true);
    });

    test('that is absent cannot be changed or deleted', async () => {
      await readProblem(await patch('nowhere', { public: true }), 404, 'artefact_not_found');
      await readProblem(
        await server.api('DELETE', artefactPath('nowhere'), { headers: server.internal }),
        404,
        'artefact_not_found',
      );
    });

    test('goes with its slots and access list when it is deleted, and its id is free again', async () => {
      const { id } = await make();
      await patched(server, id, { privateAccess: [ACME], public: true });
      assert.deepEqual((await server.api('DELETE', artefactPath(id), { headers: server.internal })).status, 204);
      await readProblem(
        await server.api('GET', artefactPath(id), { headers: server.internal }),
        404,
        'artefact_not_found',
      );
      const { artefacts, slots } = await readStoredState(server);
      assert.ok(![...artefacts, ...slots].some((row) => row.startsWith(`${id} `)));
      assert.deepEqual(await query(server, `select * from artefact_access where artefact_id = '${id}'`), []);
      const again = await uploaded(server, id, { format: 'file', file: TARBALL });
      assert.deepEqual([again.public, again.privateAccess, again.format], [false, [], 'file']);
    });

    test('that changes or goes stands in the audit log', async () => {
      const { id } = await make();
      await patched(server, id, { public: true, title: { en: 'x' } });
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
