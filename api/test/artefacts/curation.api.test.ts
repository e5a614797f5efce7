import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createCallers, type Callers } from '../support/callers.ts';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, listArtefacts, patchArtefact, readDocument, uploadArtefact } from './documents.ts';

for (const dialect of DIALECTS) {
  describe(`curation on ${dialect}`, () => {
    let server: TestServer;
    let callers: Callers;
    before(async () => {
      server = await startTestServer({ dialect });
      callers = await createCallers(server);
    });
    after(() => server.close());

    const create = async (id: string, category: string) =>
      uploadArtefact(server, id, { file: await npmTarball({ name: id }), fields: { category } });
    const groups = async (category: string, locale: string) => {
      const response = await server.api('GET', `/artefacts/groups?category=${category}&locale=${locale}`, {
        headers: callers['a superadmin'],
      });
      return ((await response.json()) as { results: string[] }).results;
    };

    test('the groups of a category are those of its artefacts, in byte order', async () => {
      for (const [index, name] of ['a', 'B', 'é', 'Z', 'aa', '10', '9', ' a', 'a', 'z'].entries()) {
        await create(`sorted-${index}`, 'catalog');
        await patchArtefact(server, `sorted-${index}`, { group: { fr: name } });
      }
      assert.deepEqual(await groups('catalog', 'fr'), [' a', '10', '9', 'B', 'Z', 'a', 'aa', 'z', 'é']);
      await patchArtefact(server, 'sorted-1', { group: null });
      await patchArtefact(server, 'sorted-2', { group: { en: 'é' } });
      await patchArtefact(server, 'sorted-3', { category: 'processing' });
      assert.equal((await server.api('DELETE', artefactPath('sorted-4'), { headers: server.internal })).status, 204);
      assert.deepEqual(await groups('catalog', 'fr'), [' a', '10', '9', 'a', 'z']);
      assert.deepEqual([await groups('catalog', 'en'), await groups('processing', 'fr')], [['é'], ['Z']]);
    });

    test('an empty group name is dropped', async () => {
      await create('nameless', 'application');
      const { group } = await patchArtefact(server, 'nameless', { group: { fr: '', en: 'Named' } });
      assert.deepEqual(group, { en: 'Named' });
      assert.deepEqual([await groups('application', 'fr'), await groups('application', 'en')], [[], ['Named']]);
    });

    test('only superadmins may list groups', async () => {
      for (const [who, headers] of Object.entries(callers)) {
        const response = await server.api('GET', '/artefacts/groups?category=catalog&locale=fr', { headers });
        if (who === 'a superadmin') assert.equal(response.status, 200);
        else if (who === 'anonymous') await readProblem(response, 401, 'unauthenticated');
        else await readProblem(response, 403, 'forbidden');
      }
    });

    test('a deprecated artefact is listed only on request, but can be read and downloaded', async () => {
      const id = 'deprecated';
      await create(id, 'other');
      await patchArtefact(server, id, { public: true, deprecated: true, group: { en: 'Old ones' } });
      for (const headers of [callers['anonymous'], callers['an internal service'], callers['a member of acme']]) {
        const ids = async (search: string) =>
          (await listArtefacts(server, search, headers)).results.map(({ _id }) => _id);
        for (const search of [
          '?q=deprecated',
          '?category=other&format=npm',
          `?packageName=${id}`,
          '?group=Old%20ones',
        ]) {
          assert.deepEqual(await ids(search), [], search);
          assert.equal((await listArtefacts(server, search, headers)).count, 0);
          assert.deepEqual(await ids(`${search}&includeDeprecated=true`), [id], search);
        }
        assert.equal((await readDocument(server, id, headers)).deprecated, true);
      }
      assert.equal(
        (await server.api('GET', artefactPath(id, '/tarball'), { headers: callers['a read key of acme'] })).status,
        200,
      );
      assert.deepEqual(await groups('other', 'en'), ['Old ones']);
      await patchArtefact(server, id, { deprecated: null });
      assert.deepEqual(
        (await listArtefacts(server, '?q=deprecated')).results.map(({ _id }) => _id),
        [id],
      );
    });
  });
}
