import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { startProxy } from './stalling-proxy.ts';
import { PROGRAM, startTestRegistry, type RunOptions, type TestRegistry } from './test-registry.ts';

let registry: TestRegistry;
let { url, scratch, berth, show } = {} as TestRegistry;
let key: string;
before(async () => {
  registry = await startTestRegistry();
  ({ url, scratch, berth, show } = registry);
  key = await registry.uploadKey();
});
after(() => registry.stop());

const withKey = () => ({ BERTH_URL: url, BERTH_API_KEY: key });

async function json<T>(words: string[], options: RunOptions = {}): Promise<T> {
  const { status, stdout, stderr } = await berth([...words, '--json'], { env: withKey(), ...options });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as T;
}

/** A copy of the real plug-in, in a git repository on a branch, with a lock file. */
function plugIn(name: string): string {
  const folder = join(scratch, name);
  cpSync(join(repositoryRoot, 'node_modules/@data-fair/processing-hello-world'), folder, { recursive: true });
  const git = (...words: string[]) => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main', ...words], { cwd: folder, stdio: 'ignore' });
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...manifest, dependencies: { semver: '7.8.6' }, devDependencies: {} }));
  execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'], { cwd: folder, stdio: 'ignore' });
  git('init');
  git('add', '.');
  git('commit', '-m', 'all of it');
  return folder;
}

function tag(folder: string, name: string): void { execFileSync('git', ['tag', name], { cwd: folder }); }

const NAME = '@data-fair/processing-hello-world';

describe('berth publish', () => {
  let folder: string;
  let version: string;
  before(() => {
    folder = plugIn('plug-in');
    ({ version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string });
  });

  test('publishes the real plug-in under its branch', async () => {
    const published = await json<Record<string, unknown>>(['publish'], { cwd: folder });
    assert.partialDeepStrictEqual(published, { id: `${NAME}@main`, architecture: 'noarch', package: NAME, version, isPublished: true });
    assert.match(published['digest'] as string, /^sha256:[0-9a-f]{64}$/);
    const { stdout } = await berth(['publish', folder], { env: withKey() });
    assert.equal(stdout, `${NAME}@main noarch: ${NAME} ${version}, ${formatted(published['size'] as number)}, ${published['digest'] as string}\n`);
  });

  test('publishes it with its production dependencies inside, as locked', async () => {
    const { id } = await json<{ id: string }>(['publish', '--bundle', '--ref', 'bundled'], { cwd: folder });
    await show(id);
    const { results } = await (await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}/packages`)).json() as { results: { name: string; version: string }[] };
    assert.deepEqual(results.map((it) => `${it.name}@${it.version}`), ['semver@7.8.6']);
    assert.ok(!existsSync(join(folder, 'node_modules')));
    const bare = join(scratch, 'bare');
    mkdirSync(bare);
    writeFileSync(join(bare, 'package.json'), JSON.stringify({ name: 'bare', version: '1.0.0', dependencies: { semver: '7.8.6' } }));
    const { status, stderr } = await berth(['publish', bare, '--bundle', '--ref', 'main'], { env: withKey() });
    assert.deepEqual([status, stderr], [1, 'berth publish: --bundle needs a lock file beside package.json: run npm install once, and commit package-lock.json\n']);
  });

  test('packs what a script of the package builds, whatever that says', async () => {
    const built = join(scratch, 'built');
    mkdirSync(built);
    writeFileSync(join(built, 'package.json'), JSON.stringify({ name: 'built', version: '2.0.0', scripts: { prepack: 'echo "[building]" && echo made > index.js && env > ../seen-by-prepack' } }));
    const { id } = await json<{ id: string }>(['publish', built, '--ref', 'main'], { env: { ...withKey(), ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'right of the job', BERTH_ID_TOKEN: 'token of the job' } });
    await show(id);
    const { results } = await (await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}/files`, { headers: registry.session })).json() as { results: { path: string }[] };
    assert.ok(results.some(({ path }) => path.endsWith('index.js')), JSON.stringify(results));
    const seen = readFileSync(join(built, '../seen-by-prepack'), 'utf8');
    for (const secret of [key, 'right of the job', 'token of the job']) assert.ok(!seen.includes(secret), `${secret} is not for scripts of packages`);
  });

  test('takes the major on a tag, which must be that of the version', async () => {
    const dry = (env: Record<string, string>, ...words: string[]) => berth(['publish', folder, '--dry-run', '--json', ...words], { env });
    const idFor = async (env: Record<string, string>, ...words: string[]) => (JSON.parse((await dry(env, ...words)).stdout) as { id: string }).id;
    const major = version.split('.')[0];
    assert.equal(await idFor({ GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: `v${version}` }), `${NAME}@${major}`);
    assert.equal(await idFor({ CI_COMMIT_TAG: `v${version}` }, '--flat'), `@data-fair-processing-hello-world-${major}`);
    assert.equal(await idFor({ GITHUB_REF_TYPE: 'branch', GITHUB_REF_NAME: 'feature/x' }), `${NAME}@feature/x`);
    assert.equal(await idFor({ CI_COMMIT_BRANCH: 'feature/x' }, '--flat'), '@data-fair-processing-hello-world-feature-x');
    assert.equal(await idFor({}, '--id', 'anything'), 'anything');
    const { status, stderr } = await dry({ CI_COMMIT_TAG: 'v99.0.0' });
    assert.deepEqual([status, stderr], [1, `berth publish: the tag is v99.0.0, but package.json says version ${version}: they must be equal\n`]);
    tag(folder, `v${version}`);
    assert.equal(await idFor({}), `${NAME}@${major}`);
  });

  test('publishes a tarball that is packed already, into a slot', async () => {
    execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch], { cwd: folder });
    const tarball = join(scratch, `data-fair-processing-hello-world-${version}.tgz`);
    const published = await json<Record<string, unknown>>(['publish', tarball, '--id', 'packed', '--architecture', 'arm64', '--category', 'other']);
    assert.partialDeepStrictEqual(published, { id: 'packed', architecture: 'arm64', version, size: statSync(tarball).size });
    await show('packed');
    const document = await json<{ tarballs: object; category: string }>(['info', 'packed'], { env: { BERTH_URL: url } });
    assert.deepEqual([Object.keys(document.tarballs), document.category], [['arm64'], 'other']);
  });

  test('says in one line what is wrong, and exits 1', async () => {
    const said = async (words: string[], env: Record<string, string> = withKey()) => {
      const { status, stdout, stderr } = await berth(['publish', ...words], { env });
      assert.deepEqual([status, stdout], [1, ''], words.join(' '));
      return stderr;
    };
    assert.equal(await said(['nowhere', '--ref', 'main']), 'berth publish: there is no package at nowhere\n');
    assert.match(await said([folder, '--ref', 'main'], { BERTH_URL: url }), /^berth publish: .+needs an upload key.+\n$/);
    assert.match(await said([folder, '--ref', 'main'], { BERTH_URL: 'http://127.0.0.1:1', BERTH_API_KEY: key }), /^berth publish: .+\n$/);
    assert.equal(await said([folder], {}), 'berth publish: which registry? Give --url or BERTH_URL, or run berth login once\n');
    assert.equal((await berth(['publish', '--colour'])).status, 2);
  });
});

describe('berth upload, ls, info and pull', () => {
  test('bring a file in and out again', async () => {
    const file = join(scratch, 'france.pmtiles');
    writeFileSync(file, Buffer.alloc(3_000_000, 'tiles'));
    const uploaded = await json<Record<string, unknown>>(['upload', file, '--id', '@acme/france', '--category', 'tileset']);
    assert.partialDeepStrictEqual(uploaded, { id: '@acme/france', fileName: 'france.pmtiles', size: 3_000_000 });
    await show('@acme/france');
    const { stdout } = await berth(['ls', 'france'], { env: { BERTH_URL: url } });
    assert.match(stdout, /^ID +VERSION +CATEGORY +SLOTS +SIZE +UPDATED\n@acme\/france +- +tileset +file +3\.0 MB +\d{4}-\d\d-\d\d \d\d:\d\d\n$/);
    const { results, count } = await json<{ results: { _id: string }[]; count: number }>(['ls', '--category', 'tileset']);
    assert.deepEqual([results.map(({ _id }) => _id), count], [['@acme/france'], 1]);
    assert.match((await berth(['info', '@acme/france'], { env: { BERTH_URL: url } })).stdout, /^id +@acme\/france\n(.+\n)*digest +sha256:[0-9a-f]{64}\n/);
    assert.equal((await berth(['ls', 'nothing like it'], { env: { BERTH_URL: url } })).stdout, 'Nothing is found.\n');
  });

  test('go on with a large file where they were stopped', async () => {
    const file = join(scratch, 'europe.pmtiles');
    const size = 96 * 1024 * 1024;
    writeFileSync(file, randomBytes(size));
    const proxy = await startProxy(url);
    try {
      proxy.stallAfterBytes = 60 * 1024 * 1024;
      const first = spawn(process.execPath, [PROGRAM, 'upload', file, '--id', 'europe', '--url', proxy.url], { cwd: scratch, env: { ...registry.environment, ...withKey() }, stdio: 'ignore' });
      const ended = once(first, 'exit');
      await proxy.stalled;
      first.kill('SIGKILL');
      await ended;
      const passed = proxy.passedBytes;
      assert.ok(passed >= proxy.stallAfterBytes);
      proxy.stallAfterBytes = Infinity;
      const uploaded = await json<{ digest: string; size: number }>(['upload', file, '--id', 'europe', '--url', proxy.url]);
      assert.deepEqual([uploaded.size, uploaded.digest], [size, `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`]);
      const again = proxy.passedBytes - passed;
      assert.ok(again < size - 40 * 1024 * 1024, `${again} bytes for the rest`);
      assert.deepEqual(JSON.parse(readFileSync(join(scratch, 'home/.cache/berth/uploads.json'), 'utf8')), {});
    } finally {
      proxy.stop();
    }
  });

  test('go on by themselves where the network was cut', async () => {
    const file = join(scratch, 'asia.pmtiles');
    const size = 96 * 1024 * 1024;
    writeFileSync(file, randomBytes(size));
    const proxy = await startProxy(url);
    try {
      proxy.stallAfterBytes = 60 * 1024 * 1024;
      const uploading = json<{ digest: string }>(['upload', file, '--id', 'asia', '--url', proxy.url]);
      await proxy.stalled;
      proxy.stallAfterBytes = Infinity;
      proxy.cut();
      assert.equal((await uploading).digest, `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`);
      assert.ok(proxy.passedBytes < size + 40 * 1024 * 1024, `${proxy.passedBytes} bytes in all`);
    } finally {
      proxy.stop();
    }
  });

  test('say that a large file has become shorter meanwhile, and what is no registry', async () => {
    const file = join(scratch, 'shrinking.bin');
    writeFileSync(file, randomBytes(96 * 1024 * 1024));
    const proxy = await startProxy(url);
    try {
      proxy.stallAfterBytes = 30 * 1024 * 1024;
      const uploading = berth(['upload', file, '--id', 'shrinking', '--url', proxy.url], { env: withKey() });
      await proxy.stalled;
      truncateSync(file, 65 * 1024 * 1024);
      proxy.stallAfterBytes = Infinity;
      proxy.cut();
      assert.deepEqual(await uploading, { status: 1, stdout: '', stderr: 'berth upload: the file has changed while it was uploaded\n' });
    } finally {
      proxy.stop();
    }
    const other = createServer((request, response) => { request.resume().on('end', () => { response.end('hello'); }); }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { status, stderr } = await berth(['upload', file, '--id', 'x', '--url', address], { env: withKey() });
    other.close();
    assert.deepEqual([status, stderr], [1, `berth upload: ${address} takes no resumable uploads (200): is this the address of a registry?\n`]);
  });

  test('say why a large file is refused', async () => {
    const file = join(scratch, 'huge.bin');
    writeFileSync(file, Buffer.alloc(65 * 1024 * 1024));
    const { status, stderr } = await berth(['upload', file, '--id', 'a/../b'], { env: withKey() });
    assert.equal(status, 1);
    assert.match(stderr, /^berth upload: .+\n$/);
    assert.match((await berth(['upload', file, '--id', 'x'], { env: { BERTH_URL: url } })).stderr, /^berth upload: This needs an upload key.+\n$/);
  });

  test('pull what the key may download, unpacked, and not twice', async () => {
    const granted = await fetch(`${url}/api/v1/access-grants`, { method: 'POST', headers: { ...registry.session, 'content-type': 'application/json' }, body: JSON.stringify({ account: { type: 'organization', id: 'acme' } }) });
    assert.equal(granted.status, 201);
    const { status, stderr } = await berth(['pull', '@acme/france'], { env: { BERTH_URL: url } });
    assert.equal(status, 1);
    assert.match(stderr, /^berth pull: .+\n$/);
    const made = await fetch(`${url}/api/v1/api-keys`, { method: 'POST', headers: { ...registry.session, 'content-type': 'application/json' }, body: JSON.stringify({ type: 'read', name: 'reader', owner: { type: 'organization', id: 'acme' } }) });
    const { key: readKey } = await made.json() as { key: string };
    const env = { BERTH_URL: url, BERTH_API_KEY: readKey };
    await show(`${NAME}@main`);
    const pull = (id: string) => json<{ path: string; downloaded: boolean }>(['pull', id, '--dir', join(scratch, 'cache')], { env });
    const plugin = await pull(`${NAME}@main`);
    assert.equal((JSON.parse(readFileSync(join(plugin.path, 'package.json'), 'utf8')) as { name: string }).name, NAME);
    assert.deepEqual([plugin.downloaded, (await pull(`${NAME}@main`)).downloaded], [true, false]);
    const tiles = await pull('@acme/france');
    assert.equal(statSync(tiles.path).size, 3_000_000);
    assert.equal((await berth(['pull', '@acme/france', '--dir', join(scratch, 'cache')], { env })).stdout, `${tiles.path}\n`);
  });
});

function formatted(bytes: number): string { return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`; }
