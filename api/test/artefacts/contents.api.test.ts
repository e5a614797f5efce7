import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createCallers, type CallerName, type Callers } from '../support/callers.ts';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, patchArtefact, uploadArtefact } from './documents.ts';
import { buildSamplePlugin, MANIFEST, ODD_NAMES } from './sample-plugin.ts';

interface List<T> {
  results: T[];
  count: number;
}
interface File {
  path: string;
  size: number;
  mode: number;
  type: string;
  target?: string;
  digest?: string;
}
interface Package {
  name: string;
  version: string;
  licence?: string;
  path: string;
}

for (const dialect of DIALECTS) {
  describe(`the contents of a tarball on ${dialect}`, () => {
    let server: TestServer;
    let callers: Callers;
    before(async () => {
      server = await startTestServer({ dialect });
      callers = await createCallers(server);
      await uploadArtefact(server, 'plugin', { file: await buildSamplePlugin() });
    });
    after(() => server.close());

    const get = (rest: string, headers = server.internal, id = 'plugin') =>
      server.api('GET', artefactPath(id, rest), { headers });
    const json = async <T>(response: Response): Promise<List<T>> => {
      assert.equal(response.status, 200);
      return (await response.json()) as List<T>;
    };

    test('the README is sent as text that no browser executes', async () => {
      const response = await get('/readme');
      assert.deepEqual(
        [
          response.status,
          response.headers.get('content-type'),
          response.headers.get('x-content-type-options'),
          response.headers.get('cache-control'),
        ],
        [200, 'text/markdown; charset=utf-8', 'nosniff', 'private, no-cache'],
      );
      assert.equal(await response.text(), '# Été\n\n<script>alert(1)</script>\n');
      await uploadArtefact(server, 'no-readme', { file: await npmTarball() });
      await readProblem(await get('/readme', server.internal, 'no-readme'), 404, 'readme_not_found');
    });

    test('bundled packages are listed with their licences', async () => {
      assert.deepEqual(await json<Package>(await get('/packages')), {
        results: [
          { name: 'a', version: '1.2.3', licence: 'ISC', path: 'node_modules/a' },
          { name: '@s/b', version: '0.1.0', licence: 'MIT OR Apache-2.0', path: 'node_modules/a/node_modules/@s/b' },
          { name: 'c', version: '', path: 'node_modules/c' },
        ],
        count: 3,
      });
      const odd = { name: '{"name":"{\\"name\\":', version: '{"name":1}', license: '[{"name":"x"},{"name":"y"}]' };
      await uploadArtefact(server, 'odd', {
        file: await npmTarball({ files: { 'node_modules/a/package.json': odd, 'node_modules/b/package.json': {} } }),
      });
      const { results, count } = await json<Package>(await get('/packages', server.internal, 'odd'));
      assert.deepEqual([results[0]?.name, results.length, count], [odd.name, 2, 2]);
      await uploadArtefact(server, 'alone', { file: await npmTarball() });
      assert.deepEqual(await json(await get('/packages', server.internal, 'alone')), { results: [], count: 0 });
    });

    test('files are listed in archive order', async () => {
      const { results, count } = await json<File>(await get('/files'));
      assert.equal(count, 12 + ODD_NAMES.length);
      assert.equal(results.length, count);
      const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
      const contents: Record<string, string> = { 'package.json': MANIFEST, 'bin/run': '#!/bin/sh\n', 'empty': '' };
      for (const { path, type, digest } of results) {
        assert.equal(digest !== undefined, type === 'file', path);
        if (Object.hasOwn(contents, path)) assert.equal(digest, digestOf(contents[path] ?? ''));
      }
      for (const entry of results) delete entry.digest;
      assert.deepEqual(results.slice(0, 7), [
        { path: 'package.json', size: MANIFEST.length, mode: 0o644, type: 'file' },
        { path: 'README.md', size: 35, mode: 0o644, type: 'file' },
        { path: 'bin', size: 0, mode: 0o755, type: 'directory' },
        { path: 'bin/run', size: 10, mode: 0o755, type: 'file' },
        { path: 'bin/hard', size: 0, mode: 0o644, type: 'link', target: 'bin/run' },
        { path: 'bin/soft', size: 0, mode: 0o644, type: 'symlink', target: 'run' },
        { path: 'empty', size: 0, mode: 0o644, type: 'file' },
      ]);
      assert.deepEqual(
        results.slice(12).map(({ path }) => path),
        ODD_NAMES,
      );
    });

    test('the contents are those of the slot that /download serves', async () => {
      const build = (text: string) => npmTarball({ name: 'native', files: { 'README.md': text, 'only.txt': text } });
      await uploadArtefact(server, 'native', { file: await build('of x64'), fields: { architecture: 'x64' } });
      await uploadArtefact(server, 'native', { file: await build('of arm64'), fields: { architecture: 'arm64' } });
      const readme = async (query: string) => (await get(`/readme${query}`, server.internal, 'native')).text();
      const only = async (query: string) => (await get(`/files/only.txt${query}`, server.internal, 'native')).text();
      assert.deepEqual(
        [
          await readme(''),
          await readme('?architecture=x64'),
          await only('?architecture=x64'),
          await only('?architecture=riscv64'),
        ],
        ['of arm64', 'of x64', 'of x64', 'of arm64'],
      );
      await uploadArtefact(server, 'native', { file: await build('of noarch') });
      assert.deepEqual(
        [await readme('?architecture=x64'), await readme('?architecture=riscv64'), await only('')],
        ['of x64', 'of noarch', 'of noarch'],
      );
      for (const rest of ['/readme', '/packages', '/files', '/files/only.txt'])
        await readProblem(
          await get(`${rest}?architecture=X64`, server.internal, 'native'),
          400,
          'architecture_invalid',
        );
      for (const architecture of ['x64', 'arm64', 'noarch'])
        assert.equal(
          (
            await server.api('DELETE', artefactPath('native', `/tarballs/${architecture}`), {
              headers: server.internal,
            })
          ).status,
          204,
        );
      await readProblem(await get('/files', server.internal, 'native'), 404, 'slot_not_found');
    });

    test('a file artefact has no contents', async () => {
      await uploadArtefact(server, 'raw', { format: 'file', file: await buildSamplePlugin() });
      for (const rest of ['/readme', '/packages', '/files', '/files/package.json']) {
        await readProblem(await get(rest, server.internal, 'raw'), 400, 'not_a_tarball');
        await readProblem(await get(rest, {}, 'raw'), 404, 'artefact_not_found');
      }
    });

    test('README and packages need the right to see the artefact, files the right to download it', async () => {
      await uploadArtefact(server, 'shared', { file: await buildSamplePlugin() });
      await patchArtefact(server, 'shared', {
        privateAccess: [
          { type: 'organization', id: 'acme' },
          { type: 'organization', id: 'initech' },
        ],
      });
      const problem = {
        artefact_not_found: 404,
        unauthenticated: 401,
        no_access_grant: 403,
        not_shared: 403,
      } as const;
      const assertRights = async (
        refusals: Partial<Record<CallerName, { see?: keyof typeof problem; download: keyof typeof problem }>>,
      ) => {
        for (const [who, headers] of Object.entries(callers)) {
          const { see, download } = refusals[who as CallerName] ?? {};
          for (const [rest, refusal] of [
            ['/readme', see],
            ['/packages', see],
            ['/files', download],
            ['/files/package.json', download],
            ['/files/none', download],
          ] as const) {
            const response = await get(rest, headers, 'shared');
            if (refusal) await readProblem(response, problem[refusal], refusal);
            else assert.equal(response.status, rest === '/files/none' ? 404 : 200, `${who} ${rest}`);
          }
        }
      };
      const invisible = { see: 'artefact_not_found', download: 'artefact_not_found' } as const;
      const ungranted = { download: 'no_access_grant' } as const;
      await assertRights({
        'anonymous': invisible,
        'an upload key': invisible,
        'an internal service for globex': { see: 'not_shared', download: 'not_shared' },
        'a read key of globex': invisible,
        'a member of initech': ungranted,
      });
      await patchArtefact(server, 'shared', { public: true });
      const anonymous = { download: 'unauthenticated' } as const;
      await assertRights({ 'anonymous': anonymous, 'an upload key': anonymous, 'a member of initech': ungranted });
      for (const rest of ['/readme', '/packages', '/files', '/files/package.json'])
        await readProblem(await get(rest, server.internal, 'absent'), 404, 'artefact_not_found');
    });
  });
}
