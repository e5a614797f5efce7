import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, readDocument, uploadArtefact, type Document } from './documents.ts';
import { makeMirror } from './mirrors.ts';

const tarball = (version: string) => npmTarball({ version, files: { 'version.txt': version } });
const native = (version: string) => npmTarball({ version, files: { 'node_modules/n/n.node': version } });
const slotsOf = ({ tarballs = {} }: Document) =>
  Object.fromEntries(Object.entries(tarballs).map(([architecture, { version }]) => [architecture, version]));

for (const dialect of DIALECTS) {
  describe(`slots on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const put = async (id: string, architecture: string, file: Uint8Array) =>
      uploadArtefact(server, id, { file, fields: { architecture } });
    const deleteSlot = (id: string, architecture: string, headers = server.internal) =>
      server.api('DELETE', artefactPath(id, `/tarballs/${encodeURIComponent(architecture)}`), { headers });

    test('are unchanged when one of another architecture is uploaded', async () => {
      const first = await put('three', 'noarch', await tarball('1.0.0'));
      await put('three', 'x64', await native('1.1.0'));
      const document = await put('three', 'arm64', await native('1.2.0'));
      assert.deepEqual(slotsOf(document), { arm64: '1.2.0', noarch: '1.0.0', x64: '1.1.0' });
      assert.deepEqual(document.tarballs?.['noarch'], first.tarballs?.['noarch']);
      assert.equal(document.version, '1.2.0');
    });

    test('are summarised at the root: the one that /download serves, with the size of the last upload', async () => {
      await put('root', 'x64', await native('1.0.0'));
      const { tarballs, ...root } = await put('root', 'noarch', await tarball('2.0.0'));
      assert.deepEqual(
        [root.path, root.hasNativeModules, root.size],
        [tarballs?.['noarch']?.path, false, tarballs?.['noarch']?.size],
      );
      const again = await put('root', 'x64', await native('3.0.0'));
      assert.deepEqual(
        [again.path, again.hasNativeModules, again.size],
        [again.tarballs?.['noarch']?.path, false, again.tarballs?.['x64']?.size],
      );
    });

    test('without noarch are summarised at the root by the one uploaded last', async () => {
      await put('last', 'x64', await native('1.0.0'));
      assert.equal(
        (await put('last', 'arm64', await tarball('1.0.1'))).path,
        (await readDocument(server, 'last')).tarballs?.['arm64']?.path,
      );
      const document = await put('last', 'x64', await native('1.0.2'));
      assert.deepEqual([document.path, document.hasNativeModules], [document.tarballs?.['x64']?.path, true]);
    });

    test('change their path only with their bytes', async () => {
      const [one, two] = [await tarball('1.0.0'), await tarball('1.0.1')];
      const path = async (file: Uint8Array) => (await put('path', 'x64', file)).tarballs?.['x64']?.path;
      const [first, second, third] = [await path(one), await path(two), await path(one)];
      assert.notEqual(first, second);
      assert.equal(first, third);
      assert.match(first ?? '', /^npm\/path\/x64-[0-9a-f]{16}\.tgz$/);
    });

    test('are deleted one by one, which advances both dates and leaves the others unchanged', async () => {
      await put('drop', 'noarch', await tarball('1.0.0'));
      const before = await put('drop', 'x64', await native('1.1.0'));
      assert.equal((await deleteSlot('drop', 'x64')).status, 204);
      const document = await readDocument(server, 'drop');
      assert.deepEqual(document.tarballs, { noarch: before.tarballs?.['noarch'] });
      assert.ok(document.dataUpdatedAt > before.dataUpdatedAt);
      assert.equal(document.updatedAt, document.dataUpdatedAt);
      assert.deepEqual(
        [document.createdAt, document.path, document.size],
        [before.createdAt, before.tarballs?.['noarch']?.path, before.tarballs?.['noarch']?.size],
      );
    });

    test('may all be deleted and uploaded again', async () => {
      const before = await put('empty', 'noarch', await tarball('1.0.0'));
      assert.equal((await deleteSlot('empty', 'noarch')).status, 204);
      const empty = await readDocument(server, 'empty');
      assert.deepEqual(
        [empty.tarballs, empty.path, empty.size, empty.packageName],
        [{}, undefined, 0, '@acme/plugin'],
      );
      await readProblem(
        await server.api('GET', artefactPath('empty', '/tarball'), { headers: server.internal }),
        404,
        'slot_not_found',
      );
      await readProblem(
        await server.api('GET', artefactPath('empty', '/download'), { headers: server.internal }),
        404,
        'slot_not_found',
      );
      const after = await put('empty', 'noarch', await tarball('1.0.0'));
      assert.ok(after.dataUpdatedAt > empty.dataUpdatedAt && empty.dataUpdatedAt > before.dataUpdatedAt);
    });

    test('that do not exist cannot be deleted', async () => {
      await put('none', 'noarch', await tarball('1.0.0'));
      const before = await readDocument(server, 'none');
      for (const architecture of ['x64', '', 'NOARCH', '../noarch', 'a\0b'])
        await readProblem(await deleteSlot('none', architecture), 404, 'slot_not_found');
      await readProblem(await deleteSlot('nowhere', 'noarch'), 404, 'artefact_not_found');
      assert.deepEqual(await readDocument(server, 'none'), before);
    });

    test('of a file artefact cannot be deleted', async () => {
      await uploadArtefact(server, 'a-file', { format: 'file', file: Buffer.from('x') });
      for (const architecture of ['noarch', 'x64', ''])
        await readProblem(await deleteSlot('a-file', architecture), 404, 'slot_not_found');
      assert.equal((await readDocument(server, 'a-file')).size, 1);
    });

    test('of a mirror cannot be deleted', async () => {
      await put('mirror', 'noarch', await tarball('1.0.0'));
      await makeMirror(server, 'mirror');
      await readProblem(await deleteSlot('mirror', 'noarch'), 403, 'mirrored_read_only');
      assert.deepEqual(slotsOf(await readDocument(server, 'mirror')), { noarch: '1.0.0' });
    });

    test('are deleted by superadmins and internal services only', async () => {
      await put('guarded', 'noarch', await tarball('1.0.0'));
      await readProblem(await deleteSlot('guarded', 'noarch', {}), 401, 'unauthenticated');
      await readProblem(
        await deleteSlot('guarded', 'noarch', { 'x-api-key': await server.uploadKey() }),
        403,
        'forbidden',
      );
      assert.equal((await deleteSlot('guarded', 'noarch', await server.superadmin())).status, 204);
    });

    test('that are deleted are in the audit log, with their digest', async () => {
      const { tarballs } = await put('audited', 'x64', await native('1.0.0'));
      await deleteSlot('audited', 'x64');
      const [event] = await query<{ details: string }>(
        server,
        `select details from audit_events where target_id = 'audited' and action = 'artefact.delete-slot'`,
      );
      assert.deepEqual(JSON.parse(event!.details), { architecture: 'x64', digest: tarballs?.['x64']?.digest });
    });
  });
}
