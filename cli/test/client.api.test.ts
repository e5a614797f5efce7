import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../../scripts/runtime.ts';

const PROGRAM = join(import.meta.dirname, '../bin/berth.js');
const SECRET = 'internal-secret';
const ADMIN = { email: 'admin@localhost', password: 'a long pass phrase' };
const scratch = mkdtempSync(join(tmpdir(), 'berth-client-'));

interface Outcome { status: number | null; stdout: string; stderr: string }

let url: string;
let key: string;
let stopServer: () => Promise<void>;

/** What npm needs to reach its registry, and nothing of a pipeline that these tests may run in. */
const ENVIRONMENT = { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BERTH_|GITHUB_|CI_)/.test(name))), XDG_CONFIG_HOME: join(scratch, 'home/.config'), XDG_CACHE_HOME: join(scratch, 'home/.cache') };

/** Runs the command as a user would, with settings of its own; `cwd` default the scratch folder. */
async function berth(words: string[], { env = {}, cwd = scratch, input = '' }: { env?: Record<string, string>; cwd?: string; input?: string } = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [PROGRAM, ...words], { cwd, env: { ...ENVIRONMENT, ...env } });
  child.stdin.end(input);
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit') as Promise<[number | null]>]);
  return { status, stdout, stderr };
}

const withKey = () => ({ BERTH_URL: url, BERTH_API_KEY: key });

async function json<T>(words: string[], options: Parameters<typeof berth>[1] = {}): Promise<T> {
  const { status, stdout, stderr } = await berth([...words, '--json'], { env: withKey(), ...options });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as T;
}

before(async () => {
  const server = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', DATA_DIR: join(scratch, 'data'), SECRET_INTERNAL_SERVICES: SECRET, ADMIN_PASSWORD: ADMIN.password }, stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(server.stdout)) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? url;
    if (line.includes('Sign in as')) break;
  }
  server.stdout.resume();
  stopServer = async () => {
    const exited = once(server, 'exit');
    server.kill();
    await exited;
  };
  const signedIn = await fetch(`${url}/api/auth/sign-in/email`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(ADMIN) });
  const cookie = signedIn.headers.getSetCookie().map((it) => it.split(';', 1)[0]).join('; ');
  const created = await fetch(`${url}/api/v1/api-keys`, { method: 'POST', headers: { cookie, 'content-type': 'application/json' }, body: JSON.stringify({ type: 'upload', name: 'CI' }) });
  ({ key } = await created.json() as { key: string });
});
after(async () => {
  await stopServer();
  rmSync(scratch, { recursive: true });
});

/** Lets everybody see an artefact. */
async function show(id: string): Promise<void> {
  const { status } = await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}`, { method: 'PATCH', headers: { 'x-secret-key': SECRET, 'content-type': 'application/json' }, body: '{"public":true}' });
  assert.equal(status, 200);
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
      const first = spawn(process.execPath, [PROGRAM, 'upload', file, '--id', 'europe', '--url', proxy.url], { cwd: scratch, env: { ...ENVIRONMENT, ...withKey() }, stdio: 'ignore' });
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

  test('say why a large file is refused', async () => {
    const file = join(scratch, 'huge.bin');
    writeFileSync(file, Buffer.alloc(65 * 1024 * 1024));
    const { status, stderr } = await berth(['upload', file, '--id', 'a/../b'], { env: withKey() });
    assert.equal(status, 1);
    assert.match(stderr, /^berth upload: .+\n$/);
    assert.match((await berth(['upload', file, '--id', 'x'], { env: { BERTH_URL: url } })).stderr, /^berth upload: This needs an upload key.+\n$/);
  });

  test('pull what the key may download, unpacked, and not twice', async () => {
    const granted = await fetch(`${url}/api/v1/access-grants`, { method: 'POST', headers: { 'x-secret-key': SECRET, 'content-type': 'application/json' }, body: JSON.stringify({ account: { type: 'organization', id: 'acme' } }) });
    assert.equal(granted.status, 201);
    const { status, stderr } = await berth(['pull', '@acme/france'], { env: { BERTH_URL: url } });
    assert.equal(status, 1);
    assert.match(stderr, /^berth pull: .+\n$/);
    const signedIn = await fetch(`${url}/api/auth/sign-in/email`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(ADMIN) });
    const cookie = signedIn.headers.getSetCookie().map((it) => it.split(';', 1)[0]).join('; ');
    const made = await fetch(`${url}/api/v1/api-keys`, { method: 'POST', headers: { cookie, 'content-type': 'application/json' }, body: JSON.stringify({ type: 'read', name: 'reader', owner: { type: 'organization', id: 'acme' } }) });
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

describe('berth keys and grants', () => {
  const home = join(scratch, 'admin');
  const env = { XDG_CONFIG_HOME: home };
  const done = async (words: string[]): Promise<string> => {
    const { status, stdout, stderr } = await berth(words, { env });
    assert.deepEqual([status, stderr], [0, ''], words.join(' '));
    return stdout.trimEnd();
  };
  const statusOf = async (raw: string) => (await fetch(`${url}/api/v1/artefacts`, { headers: { 'x-api-key': raw } })).status;

  test('need a session, which a password brings', async () => {
    const { status, stderr } = await berth(['keys', 'ls', '--url', url], { env });
    assert.deepEqual([status, stderr], [1, `berth keys: this needs a session: run berth login ${url} --email you@example.org\n`]);
    assert.match((await berth(['login', url, '--email', ADMIN.email], { env, input: 'not his at all' })).stderr, /^berth login: .+\n$/);
    const signedIn = await berth(['login', url, '--email', ADMIN.email], { env, input: `${ADMIN.password}\n` });
    assert.deepEqual([signedIn.status, signedIn.stdout], [0, `${url} it is, as ${ADMIN.email}.\n`]);
    assert.ok(!readFileSync(join(home, 'berth/config.json'), 'utf8').includes(ADMIN.password));
  });

  test('make, list, replace and end keys', async () => {
    const made = await done(['keys', 'create', 'pipeline', '--package', '@acme/gpkg', '--prefix', '@acme/', '--expires', '2099-12-31']);
    assert.match(made, /^reg_[^_]{8}_[0-9a-f]{64}$/);
    assert.equal(await statusOf(made), 200);
    const [key] = (JSON.parse(await done(['keys', 'ls', '--type', 'upload', '--json'])) as { _id: string; name: string }[]).filter(({ name }) => name === 'pipeline');
    const id = key?._id ?? '';
    assert.match(await done(['keys', 'ls']), new RegExp(`^ID .+\\n(.+\\n)*${id} +upload +pipeline +${made.slice(0, 12)} +prefix @acme/, package @acme/gpkg +2099-12-31 +\\d{4}-`));
    const next = await done(['keys', 'rotate', id, '--overlap', '0', '--expires', 'never']);
    assert.deepEqual([await statusOf(made), await statusOf(next)], [401, 200]);
    assert.equal(await done(['keys', 'revoke', id]), `${id} has ended.`);
    assert.equal(await statusOf(next), 401);
    const refused = await berth(['keys', 'revoke', id], { env });
    assert.deepEqual([refused.status, refused.stderr], [1, 'berth keys: There is no key with this id: it may have been revoked already.\n']);
    assert.match((await berth(['keys', 'create', 'x', '--category', 'nothing'], { env })).stderr, /^berth keys: .+allowedCategory must be one of .+\n$/);
  });

  test('let accounts download, and not', async () => {
    const id = await done(['grants', 'create', 'organization:globex/geo']);
    assert.match(await done(['grants', 'ls']), new RegExp(`(^|\\n)${id} +organization:globex/geo +- +\\d{4}-\\d\\d-\\d\\d`));
    const readKey = await done(['keys', 'create', 'reader', '--owner', 'organization:globex/geo']);
    assert.equal(await statusOf(readKey), 200);
    assert.equal(await done(['grants', 'revoke', id]), `${id} is taken back.`);
    assert.equal((await berth(['grants', 'create', 'globex'], { env })).status, 2);
  });
});

describe('berth login', () => {
  test('keeps registry and key for the commands that follow, for this user alone', async () => {
    const { status, stdout, stderr } = await berth(['login', `${url}/`], { input: `${key}\n` });
    assert.deepEqual([status, stdout, stderr], [0, `${url} it is, with an upload key.\n`, '']);
    const file = join(scratch, 'home/.config/berth/config.json');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { url, apiKey: key });
    assert.equal((await berth(['ls', '--json'])).status, 0);
    const elsewhere = await berth(['ls', '--url', 'http://127.0.0.1:1']);
    assert.equal(elsewhere.status, 1);
    assert.ok(!elsewhere.stderr.includes(key));
  });

  test('keeps nothing that the registry does not take', async () => {
    const file = join(scratch, 'home/.config/berth/config.json');
    const before_ = readFileSync(file, 'utf8');
    const refused = await berth(['login', url], { input: `reg_00000000_${'0'.repeat(64)}` });
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /^berth login: This API key is unknown, revoked or expired.+\n$/);
    assert.match((await berth(['login', 'http://127.0.0.1:1'])).stderr, /^berth login: the registry at http:\/\/127\.0\.0\.1:1 cannot be reached: .+\n$/);
    assert.match((await berth(['login', 'nowhere'])).stderr, /^berth login: nowhere is no address of a registry/);
    assert.equal(readFileSync(file, 'utf8'), before_);
  });
});

interface Proxy { url: string; passedBytes: number; stallAfterBytes: number; stalled: Promise<void>; stop(): void }

/** Passes requests on, and takes no more from clients once so many bytes have come. */
async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  let tellStalled = () => { /* set below */ };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => { client.destroy(); upstream.destroy(); }).on('close', () => { client.destroy(); upstream.destroy(); });
    }
    upstream.pipe(client);
    client.on('data', (chunk: Buffer) => {
      proxy.passedBytes += chunk.length;
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
      if (proxy.passedBytes >= proxy.stallAfterBytes) {
        client.removeAllListeners('data').pause();
        tellStalled();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, passedBytes: 0, stallAfterBytes: Infinity,
    stalled: new Promise((resolve) => { tellStalled = resolve; }),
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return proxy;
}

function formatted(bytes: number): string { return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`; }
