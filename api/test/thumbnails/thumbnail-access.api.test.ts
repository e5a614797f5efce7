import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { patchArtefact, readDocument, uploadArtefact } from '../artefacts/documents.ts';
import { makeMirror } from '../artefacts/mirrors.ts';
import { createCallers, type CallerName, type Callers } from '../support/callers.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { dataPath, postThumbnail, setThumbnail, thumbnailPath } from './thumbnail-client.ts';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>';

for (const dialect of DIALECTS) {
  describe(`access to thumbnails on ${dialect}`, () => {
    let server: TestServer;
    let callers: Callers;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local' });
      callers = await createCallers(server);
    });
    after(() => server.close());

    const artefact = async (id: string, changes: Record<string, unknown> = {}) => {
      await uploadArtefact(server, id, { file: await npmTarball() });
      return patchArtefact(server, id, changes);
    };

    test('only superadmins and internal services without an account may set and delete a thumbnail', async () => {
      await artefact('guarded', { public: true, privateAccess: [{ type: 'organization', id: 'acme' }] });
      const refusals: [who: CallerName, status: number, code: string][] = [
        ['anonymous', 401, 'unauthenticated'],
        ['an upload key', 403, 'forbidden'],
        ['a read key of acme', 403, 'forbidden'],
        ['a member of acme', 403, 'forbidden'],
        ['an internal service for acme', 403, 'account_read_only'],
      ];
      for (const [who, status, code] of refusals) {
        await readProblem(await postThumbnail(server, 'guarded', SVG, callers[who]), status, code);
        await readProblem(
          await server.api('DELETE', thumbnailPath('guarded'), { headers: callers[who] }),
          status,
          code,
        );
      }
      assert.ok(!('thumbnail' in (await readDocument(server, 'guarded'))));
      for (const who of ['an internal service', 'a superadmin'] as const) {
        assert.equal((await postThumbnail(server, 'guarded', SVG, callers[who])).status, 201, who);
        assert.equal(
          (await server.api('DELETE', thumbnailPath('guarded'), { headers: callers[who] })).status,
          204,
          who,
        );
      }
    });

    test('callers who may see the artefact may see its thumbnail, and everybody by its id', async () => {
      await artefact('seen', {
        privateAccess: [
          { type: 'organization', id: 'acme' },
          { type: 'organization', id: 'initech' },
        ],
      });
      const document = await setThumbnail(server, 'seen', SVG);
      const blind: Record<string, number> = {
        'anonymous': 404,
        'an upload key': 404,
        'an internal service for globex': 403,
        'a read key of globex': 404,
      };
      for (const [who, headers] of Object.entries(callers))
        assert.equal((await server.api('GET', thumbnailPath('seen'), { headers })).status, blind[who] ?? 200, who);
      await readProblem(await server.api('GET', thumbnailPath('seen')), 404, 'artefact_not_found');
      for (const headers of [...Object.values(callers), { 'x-api-key': 'reg_unknown' }])
        assert.equal((await server.api('GET', dataPath(document), { headers })).status, 200);
      await patchArtefact(server, 'seen', { public: true });
      for (const [who, headers] of Object.entries(callers))
        assert.equal((await server.api('GET', thumbnailPath('seen'), { headers })).status, 200, who);
    });

    test('the thumbnail of a mirror is read-only', async () => {
      await artefact('mirrored');
      const document = await setThumbnail(server, 'mirrored', SVG);
      await makeMirror(server, 'mirrored');
      await readProblem(await postThumbnail(server, 'mirrored', SVG), 403, 'mirrored_read_only');
      await readProblem(
        await server.api('DELETE', thumbnailPath('mirrored'), { headers: server.internal }),
        403,
        'mirrored_read_only',
      );
      assert.equal((await server.api('GET', dataPath(document))).status, 200);
    });

    test('an absent artefact has no thumbnail', async () => {
      await readProblem(await postThumbnail(server, 'nowhere', SVG), 404, 'artefact_not_found');
      await readProblem(
        await server.api('GET', thumbnailPath('nowhere'), { headers: server.internal }),
        404,
        'artefact_not_found',
      );
      await readProblem(
        await server.api('DELETE', thumbnailPath('nowhere'), { headers: server.internal }),
        404,
        'artefact_not_found',
      );
      await readProblem(await server.api('GET', '/thumbnails/nowhere/data'), 404, 'thumbnail_not_found');
    });

    test('changes of thumbnails are in the audit log', async () => {
      await artefact('audited');
      await setThumbnail(server, 'audited', SVG);
      await server.api('DELETE', thumbnailPath('audited'), { headers: server.internal });
      const events = await query<{ action: string }>(
        server,
        `select action from audit_events where target_id = 'audited' and action like '%thumbnail' order by at`,
      );
      assert.deepEqual(
        events.map(({ action }) => action),
        ['artefact.set-thumbnail', 'artefact.delete-thumbnail'],
      );
    });
  });
}
