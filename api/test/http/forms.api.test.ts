// Upload forms: bodies that are none, and empty fields, on every route and protocol that takes them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { UPLOAD_FIELDS } from '../../src/artefacts/index.ts';
import { uploadArtefact, readDocument } from '../artefacts/documents.ts';
import { readProblem } from '../support/problems.ts';
import { rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { createUpload, tusUpload } from '../uploads/tus-client.ts';

const WRONG_TYPES = [
  undefined,
  '',
  'application/json',
  'application/x-www-form-urlencoded',
  'application/octet-stream',
  'application/gzip',
  'multipart/mixed; boundary=x',
  'multipart/form-data',
  'multipart/form-data; boundary=',
  'text/plain; charset=utf-8',
  'nonsense',
  '*/*',
];
const FORMS = {
  npm: { file: await npmTarball(), fileName: 'a.tgz' },
  file: { file: Buffer.from('x'), fileName: 'a' },
};

for (const dialect of DIALECTS) {
  describe(`an upload form on ${dialect}`, () => {
    let server: TestServer;
    let routes: string[];
    before(async () => {
      server = await startTestServer({ dialect });
      await uploadArtefact(server, 'present', FORMS.npm);
      const { paths } = (await (await server.api('GET', '/openapi.json')).json()) as {
        paths: Record<string, Record<string, { requestBody?: { content?: Record<string, unknown> } }>>;
      };
      routes = Object.entries(paths).flatMap(([path, { post }]) =>
        post?.requestBody?.content?.['multipart/form-data']
          ? [path.replace('{id}', path.includes('/thumbnail') ? 'present' : 'absent')]
          : [],
      );
      assert.ok(routes.length >= 3, routes.join());
    });
    after(() => server.close());

    test('of another content type is told how to send the upload, on every route', async () => {
      const assertUntouched = await rememberStored(server);
      for (const path of routes)
        for (const type of WRONG_TYPES) {
          const response = await fetch(`${server.url}${path}`, {
            method: 'POST',
            headers: { ...server.internal, ...(type !== undefined && { 'content-type': type }) },
            body: Buffer.from('--x\r\n'),
          });
          const { detail } = await readProblem(response, 400, 'multipart_invalid');
          assert.match(detail, /multipart/, `${path} as ${type}`);
        }
      await assertUntouched();
    });

    for (const format of ['npm', 'file'] as const) {
      const empty = Object.fromEntries(UPLOAD_FIELDS[format].map((field) => [field, '']));
      const values = { title: '{"fr":"Titre"}', description: '{"en":"Text"}', category: 'tileset' };

      test(`of the format ${format} counts empty fields as absent`, async () => {
        const form = { format, ...FORMS[format] };
        for (const names of [...UPLOAD_FIELDS[format].map((field) => [field]), UPLOAD_FIELDS[format]]) {
          const id = `${format}-${names.join('-')}`;
          const first = await uploadArtefact(server, id, { ...form, fields: values });
          const again = await uploadArtefact(server, id, {
            ...form,
            fields: { ...values, ...Object.fromEntries(names.map((name) => [name, ''])) },
          });
          for (const field of ['category', 'title', 'description', 'fileName', 'filePath'] as const)
            assert.deepEqual(again[field], first[field], `${id}: ${field}`);
          assert.deepEqual(Object.keys(again.tarballs ?? {}), format === 'npm' ? ['noarch'] : []);
        }
      });

      test(`of the format ${format} counts empty values of Upload-Metadata as absent`, async () => {
        const id = `tus-${format}`;
        await tusUpload(server, id, { format, file: FORMS[format].file, fields: { ...empty, filename: 'name' } });
        const { category, title, fileName } = await readDocument(server, id);
        assert.deepEqual([category, title, fileName], ['other', undefined, format === 'file' ? 'name' : undefined]);
        assert.ok(await createUpload(server, `${id}-created`, 1, { format, fields: empty }));
      });
    }
  });
}
