import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createCallers, type CallerName, type Callers } from '../support/callers.ts';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { buildTar, buildTarball, npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, storageOf, type TestServer } from '../support/test-server.ts';
import { artefactPath, patched, uploaded } from './documents.ts';

interface Listed<T> {
  results: T[];
  count: number;
}
interface File {
  path: string;
  size: number;
  mode: number;
  type: string;
  target?: string;
}
interface Package {
  name: string;
  version: string;
  licence?: string;
  path: string;
}

const MANIFEST = JSON.stringify({ name: '@acme/plugin', version: '1.0.0' });
const ODD_NAMES = [
  'données/été ☃ 日本.txt',
  '100%.txt',
  'a%2Fb.txt',
  'what?#&.txt',
  ' space ',
  '__proto__',
  '...',
  `${'日'.repeat(99)}/`.repeat(10) + 'f'.repeat(16),
];
/** More than the buffers of a connection hold. */
const LARGE = randomBytes(12 * 1024 * 1024);

/** Nearly every kind of entry: names as they are below `package/`. */
const plugin = () =>
  buildTarball([
    { path: 'package/', mode: 0o755 },
    { path: 'package/package.json', content: MANIFEST },
    { path: 'package/README.md', content: '# Été\n\n<script>alert(1)</script>\n' },
    { path: 'package/bin/', mode: 0o755 },
    { path: 'package/bin/run', content: '#!/bin/sh\n', mode: 0o755 },
    { path: 'package/bin/hard', type: 'Link', linkpath: 'package/bin/run' },
    { path: 'package/bin/soft', type: 'SymbolicLink', linkpath: 'run' },
    { path: 'package/empty', content: '' },
    { path: 'package/twice.txt', content: 'first' },
    { path: 'package/twice.txt', content: 'the second' },
    {
      path: 'package/node_modules/a/package.json',
      content: JSON.stringify({ name: 'a', version: '1.2.3', license: 'ISC' }),
    },
    {
      path: 'package/node_modules/a/node_modules/@s/b/package.json',
      content: JSON.stringify({ name: '@s/b', version: '0.1.0', licenses: [{ type: 'MIT' }, { type: 'Apache-2.0' }] }),
    },
    { path: 'package/node_modules/c/package.json', content: '{}' },
    ...ODD_NAMES.map((name) => ({ path: `package/${name}`, content: `content of ${name}` })),
  ]);

for (const dialect of DIALECTS) {
  describe(`the contents of a tarball on ${dialect}`, () => {
    let server: TestServer;
    let callers: Callers;
    before(async () => {
      server = await startTestServer({ dialect });
      callers = await createCallers(server);
      await uploaded(server, 'plugin', { file: await plugin() });
    });
    after(() => server.close());

    const get = (rest: string, headers = server.internal, id = 'plugin') =>
      server.api('GET', artefactPath(id, rest), { headers });
    const file = (path: string, id = 'plugin') =>
      get(`/files/${path.split('/').map(encodeURIComponent).join('/')}`, server.internal, id);
    const json = async <T>(response: Response): Promise<Listed<T>> => {
      assert.equal(response.status, 200);
      return (await response.json()) as Listed<T>;
    };

    test('the README is text, which no browser runs', async () => {
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
      await uploaded(server, 'no-readme', { file: await npmTarball() });
      await readProblem(await get('/readme', server.internal, 'no-readme'), 404, 'readme_not_found');
    });

    test('the bundled packages come with their licences', async () => {
      assert.deepEqual(await json<Package>(await get('/packages')), {
        results: [
          { name: 'a', version: '1.2.3', licence: 'ISC', path: 'node_modules/a' },
          { name: '@s/b', version: '0.1.0', licence: 'MIT OR Apache-2.0', path: 'node_modules/a/node_modules/@s/b' },
          { name: 'c', version: '', path: 'node_modules/c' },
        ],
        count: 3,
      });
      await uploaded(server, 'alone', { file: await npmTarball() });
      assert.deepEqual(await json(await get('/packages', server.internal, 'alone')), { results: [], count: 0 });
    });

    test('the files are listed in the order of the archive', async () => {
      const { results, count } = await json<File>(await get('/files'));
      assert.equal(count, 12 + ODD_NAMES.length);
      assert.equal(results.length, count);
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

    test('a file is its bytes, as text that no browser runs', async () => {
      const response = await file('package.json');
      assert.deepEqual(
        [
          response.status,
          response.headers.get('content-type'),
          response.headers.get('content-length'),
          response.headers.get('x-content-type-options'),
        ],
        [200, 'text/plain; charset=utf-8', String(MANIFEST.length), 'nosniff'],
      );
      assert.match(response.headers.get('content-security-policy') ?? '', /\bsandbox\b/);
      assert.equal(await response.text(), MANIFEST);
      const head = await server.api('HEAD', artefactPath('plugin', '/files/package.json'), {
        headers: server.internal,
      });
      assert.deepEqual(
        [head.status, head.headers.get('content-length'), await head.text()],
        [200, String(MANIFEST.length), ''],
      );
    });

    test('a hard link is its file, an empty file is empty, and of two with one name the last one counts', async () => {
      assert.equal(await (await file('bin/hard')).text(), '#!/bin/sh\n');
      assert.equal(await (await file('twice.txt')).text(), 'the second');
      const empty = await file('empty');
      assert.deepEqual([empty.status, empty.headers.get('content-length'), await empty.text()], [200, '0', '']);
    });

    test('a file is found under any name', async () => {
      for (const name of ODD_NAMES) {
        const response = await file(name);
        assert.deepEqual([response.status, await response.text()], [200, `content of ${name}`]);
      }
      assert.equal(
        await (await get('/files/donn%C3%A9es%2F%C3%A9t%C3%A9%20%E2%98%83%20%E6%97%A5%E6%9C%AC.txt')).text(),
        `content of ${ODD_NAMES[0]}`,
      );
    });

    test('what is no file of the package is not found, whatever the path says', async () => {
      const connection = await openConnection(server.url);
      const ask = async (path: string) => {
        await connection.send(requestHead('GET', `/api/v1/artefacts/plugin/files/${path}`, server.internal));
        const { status, body } = await connection.answer();
        return [status, (JSON.parse(body) as { code: string }).code];
      };
      const paths = [
        '',
        'none',
        'bin',
        'bin/',
        'bin/soft',
        'bin/run/',
        '/package.json',
        './package.json',
        'bin/../package.json',
        '../plugin/files/package.json',
        'package/package.json',
        '..%2f..%2f..%2fetc%2fpasswd',
        '%2e%2e/%2e%2e/berth.db',
        '/etc/passwd',
        'package.json%00',
        '%00',
        'PACKAGE.JSON',
        'package.json\\',
        'constructor',
        'x'.repeat(1100),
      ];
      for (const path of paths) assert.deepEqual(await ask(path), [404, 'file_not_found'], path);
      for (const path of ['%', '%E0%A4%A', '%ff']) assert.deepEqual(await ask(path), [400, 'request_invalid'], path);
      connection.end();
    });

    test('each architecture has contents of its own, with the slot that /download serves', async () => {
      const build = (text: string) => npmTarball({ name: 'native', files: { 'README.md': text, 'only.txt': text } });
      await uploaded(server, 'native', { file: await build('of x64'), fields: { architecture: 'x64' } });
      await uploaded(server, 'native', { file: await build('of arm64'), fields: { architecture: 'arm64' } });
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
      await uploaded(server, 'native', { file: await build('of noarch') });
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

    test('a file artefact has nothing inside it to list', async () => {
      await uploaded(server, 'raw', { format: 'file', file: await plugin() });
      for (const rest of ['/readme', '/packages', '/files', '/files/package.json']) {
        await readProblem(await get(rest, server.internal, 'raw'), 400, 'not_a_tarball');
        await readProblem(await get(rest, {}, 'raw'), 404, 'artefact_not_found');
      }
    });

    test('README and licences are for whoever may see the artefact, files for whoever may download it', async () => {
      await uploaded(server, 'shared', { file: await plugin() });
      await patched(server, 'shared', {
        privateAccess: [
          { type: 'organization', id: 'acme' },
          { type: 'organization', id: 'initech' },
        ],
      });
      const problem = { artefact_not_found: 404, unauthenticated: 401, no_access_grant: 403 } as const;
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
        'an internal service for globex': invisible,
        'a read key of globex': invisible,
        'a member of initech': ungranted,
      });
      await patched(server, 'shared', { public: true });
      const anonymous = { download: 'unauthenticated' } as const;
      await assertRights({ 'anonymous': anonymous, 'an upload key': anonymous, 'a member of initech': ungranted });
      for (const rest of ['/readme', '/packages', '/files', '/files/package.json'])
        await readProblem(await get(rest, server.internal, 'absent'), 404, 'artefact_not_found');
    });

    test('a large file, and one behind it, come out whole', async () => {
      const tar = buildTar([
        { path: 'package/package.json', content: MANIFEST },
        { path: 'package/large.bin', content: LARGE },
        { path: 'package/behind.txt', content: 'behind' },
      ]);
      await uploaded(server, 'large', { file: gzipSync(tar, { level: 0 }) });
      assert.ok(LARGE.equals(Buffer.from(await (await file('large.bin', 'large')).arrayBuffer())));
      assert.equal(await (await file('behind.txt', 'large')).text(), 'behind');
    });

    if (storageOf(dialect) === 'fs')
      test('a client that goes away leaves no file open', async () => {
        const connection = await openConnection(server.url);
        connection.socket.pause();
        await connection.send(
          requestHead('GET', artefactPath('large', '/files/large.bin').replace('/', '/api/v1/'), server.internal),
        );
        await once(connection.socket, 'readable');
        assert.equal(openFiles(server).length, 1);
        connection.end();
        await eventually(async () => {
          assert.deepEqual(openFiles(server), []);
        });
      });
  });
}

/** Lists the files of the storage that this process holds open. */
function openFiles({ dataDir }: TestServer): string[] {
  return readdirSync('/proc/self/fd')
    .map(targetOf)
    .filter((target) => target.startsWith(join(dataDir, 'blobs')));
}

/** Where a descriptor leads; nowhere when it was closed meanwhile. */
function targetOf(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return '';
  }
}
