// The library against a real server, starting with the upload.

import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test, { after, before } from 'node:test';
import type { TestContext } from 'node:test';
import {
  ensureArtefact,
  ensureArtefactFile,
  getArtefact,
  listArtefacts,
  publishArtefact,
  releaseArtefact,
} from '../dist/index.js';
import type { AccountRef, Artefact, EnsureArtefactOptions, PublishArtefactOptions } from '../dist/index.js';
import { callAddon, makeGate, packAddon } from './support/addons.ts';
import { startBerth } from './support/berth.ts';
import type { Berth } from './support/berth.ts';
import { startProxy } from './support/proxy.ts';
import { makeDirectory } from './support/setting.ts';
import { describeTarball, incompressible, packPackage } from './support/tarballs.ts';
import type { Tarball } from './support/tarballs.ts';

const ONE = packPackage('1.0.0', { 'index.js': 'export default 1' });
const TWO = packPackage('1.1.0', { 'index.js': 'export default 2', 'lib/more.js': '' });

let berth: Berth;
before(async () => {
  berth = await startBerth();
});
after(async () => {
  await berth.close();
});

async function publish(
  artefactId: string,
  { bytes }: Tarball,
  more: Partial<PublishArtefactOptions> = {},
): Promise<Artefact> {
  const secretKey = more.apiKey === undefined ? berth.secretKey : undefined;
  return await publishArtefact({
    registryUrl: berth.url,
    secretKey,
    artefactId,
    file: Readable.from([bytes]),
    ...more,
  });
}

async function createKey(fields: {
  type: 'upload' | 'read';
  owner?: AccountRef;
  allowedName?: string;
}): Promise<string> {
  const { key } = await berth.asSuperadmin('POST', '/api-keys', { name: 'test', ...fields });
  return String(key);
}

async function consumer(t: TestContext, artefactId: string): Promise<EnsureArtefactOptions & { secretKey: string }> {
  return {
    registryUrl: berth.url,
    secretKey: berth.secretKey,
    artefactId,
    cacheDir: await makeDirectory(t),
    architecture: 'x64',
  };
}

const routeOf = (artefactId: string): string => `/artefacts/${encodeURIComponent(artefactId)}`;
const source = async (path: string): Promise<string> => await readFile(join(path, 'index.js'), 'utf8');

test('a published artefact is listed, read and cached; each later call is one request', async (t) => {
  const published = await publish('@acme/journey@1', ONE);
  const registry = { registryUrl: berth.url, secretKey: berth.secretKey };
  const { results, count } = await listArtefacts({ ...registry, q: 'journey' });
  assert.deepEqual([count, results[0]?._id, results[0]?.version], [1, '@acme/journey@1', '1.0.0']);
  const document = await getArtefact({ ...registry, artefactId: '@acme/journey@1' });
  assert.equal(document.dataUpdatedAt, published.dataUpdatedAt);
  assert.equal(document.tarballs?.noarch?.digest, ONE.digest);

  const proxy = await startProxy(t, berth.url);
  const options = { ...(await consumer(t, '@acme/journey@1')), registryUrl: proxy.url };
  const first = await ensureArtefact(options);
  const { dataUpdatedAt } = document;
  assert.deepEqual(first, {
    path: first.path,
    version: '1.0.0',
    dataUpdatedAt,
    digest: ONE.digest,
    downloaded: true,
    stale: false,
  });
  assert.equal(await source(first.path), 'export default 1');
  assert.equal(proxy.requests.length, 2);
  assert.deepEqual(await ensureArtefact(options), { ...first, downloaded: false });
  assert.equal(proxy.requests.length, 3);
  assert.equal(proxy.requests[2]?.headers['if-none-match'] !== undefined, true);
});

test('a newer upload gets a new directory; equal bytes and edits download nothing', async (t) => {
  await publish('update', ONE);
  const options = await consumer(t, 'update');
  const first = await ensureArtefact(options);
  await publish('update', TWO);
  const second = await ensureArtefact(options);
  assert.deepEqual([second.digest, second.version, second.downloaded], [TWO.digest, '1.1.0', true]);
  assert.deepEqual([await source(first.path), await source(second.path)], ['export default 1', 'export default 2']);
  assert.deepEqual((await readdir(first.path)).sort(), ['index.js', 'package.json']);

  const { dataUpdatedAt } = await publish('update', TWO);
  assert.deepEqual(await ensureArtefact(options), { ...second, dataUpdatedAt, downloaded: false });
  await berth.asService('PATCH', routeOf('update'), { title: { en: 'Renamed' } });
  assert.deepEqual(await ensureArtefact(options), { ...second, dataUpdatedAt, downloaded: false });
});

test('each architecture gets its own slot, else noarch; an empty one gets noarch only', async (t) => {
  const arm = packPackage('1.0.0', { 'index.js': 'export default "arm64"' });
  await Promise.all([publish('slots', ONE), publish('slots', arm, { architecture: 'arm64' })]);
  const options = await consumer(t, 'slots');
  const [x64, arm64, noarch] = await Promise.all(
    ['x64', 'arm64', ''].map((architecture) => ensureArtefact({ ...options, architecture })),
  );
  assert.deepEqual([x64?.digest, arm64?.digest, noarch?.digest], [ONE.digest, arm.digest, ONE.digest]);
  assert.equal(await source(arm64?.path ?? ''), 'export default "arm64"');

  await berth.asService('DELETE', `${routeOf('slots')}/tarballs/noarch`);
  await assert.rejects(ensureArtefact({ ...options, architecture: '' }), { status: 404, code: 'slot_not_found' });
  assert.equal((await ensureArtefact({ ...options, architecture: 'arm64' })).path, arm64?.path);
});

test('an account with a non-ASCII name gets what is shared with it, and nothing else', async (t) => {
  const account: AccountRef = { type: 'organization', id: 'société-日本', department: 'géo' };
  await publish('shared', ONE);
  await publish('private', ONE);
  await berth.asService('PATCH', routeOf('shared'), { privateAccess: [account] });
  const options = { ...(await consumer(t, 'shared')), account };
  assert.equal((await ensureArtefact(options)).digest, ONE.digest);
  const other = { ...account, department: 'eau' };
  await assert.rejects(ensureArtefact({ ...options, account: other, cacheDir: await makeDirectory(t) }), {
    status: 403,
    code: 'not_shared',
  });
  await assert.rejects(ensureArtefact({ ...options, artefactId: 'private' }), {
    status: 403,
    code: 'not_shared',
    artefactId: 'private',
  });
  await assert.rejects(ensureArtefact({ ...options, artefactId: 'absent' }), {
    status: 404,
    code: 'artefact_not_found',
  });
  await assert.rejects(publish('shared', TWO, { account }), { status: 403, code: 'account_read_only' });
});

test('keys upload within their scope and read what is shared with their owner', async (t) => {
  const upload = await createKey({ type: 'upload', allowedName: 'keyed' });
  assert.equal((await publish('keyed', ONE, { apiKey: upload })).version, '1.0.0');
  await assert.rejects(publish('other', ONE, { apiKey: upload }), {
    status: 403,
    code: 'key_scope',
    artefactId: 'other',
  });

  const owner: AccountRef = { type: 'organization', id: 'acme' };
  await berth.asService('POST', '/access-grants', { account: owner });
  await berth.asService('PATCH', routeOf('keyed'), { privateAccess: [owner] });
  const options = {
    ...(await consumer(t, 'keyed')),
    secretKey: undefined,
    apiKey: await createKey({ type: 'read', owner }),
  };
  assert.equal((await ensureArtefact(options)).digest, ONE.digest);
  await publish('unshared', ONE);
  await assert.rejects(ensureArtefact({ ...options, artefactId: 'unshared' }), {
    status: 404,
    code: 'artefact_not_found',
  });
});

test('a refusal is not retried, and has its own code', async (t) => {
  const proxy = await startProxy(t, berth.url);
  const owner: AccountRef = { type: 'organization', id: 'dismissed' };
  const { _id: grant } = await berth.asService('POST', '/access-grants', { account: owner });
  const apiKey = await createKey({ type: 'read', owner });
  await berth.asSuperadmin('DELETE', `/access-grants/${String(grant)}`);
  await publish('public', ONE);
  await berth.asService('PATCH', routeOf('public'), { public: true });
  const { secretKey, ...anonymous } = { ...(await consumer(t, 'public')), registryUrl: proxy.url };
  const refusals: [Partial<EnsureArtefactOptions>, { status: number; code: string; artefactId: string }, number][] = [
    [{ secretKey: `${secretKey}?` }, { status: 401, code: 'secret_key_wrong', artefactId: 'public' }, 1],
    [{ apiKey: `reg_12345678_${'0'.repeat(64)}` }, { status: 401, code: 'api_key_invalid', artefactId: 'public' }, 1],
    [{}, { status: 401, code: 'unauthenticated', artefactId: 'public' }, 2],
    [{ apiKey }, { status: 403, code: 'no_access_grant', artefactId: 'public' }, 2],
    [{ artefactId: 'absent' }, { status: 404, code: 'artefact_not_found', artefactId: 'absent' }, 1],
  ];
  for (const [options, refusal, requests] of refusals) {
    proxy.requests.length = 0;
    await assert.rejects(ensureArtefact({ ...anonymous, ...options }), { name: 'RegistryError', ...refusal });
    assert.equal(proxy.requests.length, requests, refusal.code);
  }
});

test('a download resumes after a lost connection', async (t) => {
  const content = incompressible(3_000_000);
  const large = packPackage('1.0.0', { 'data.bin': content });
  await publish('cut', large);
  const proxy = await startProxy(t, berth.url);
  proxy.cut('/tarball', 1_000_000, 700_000);
  const { path, digest } = await ensureArtefact({ ...(await consumer(t, 'cut')), registryUrl: proxy.url });
  assert.equal(digest, large.digest);
  assert.deepEqual(await readFile(join(path, 'data.bin')), content);
  const ranges = proxy.requests.filter(({ url }) => url.includes('/tarball')).map(({ headers }) => headers.range);
  assert.equal(ranges.length, 3);
  assert.match(ranges[1] ?? '', /^bytes=[1-9]\d{4,6}-$/);
  assert.equal(proxy.requests.at(-1)?.headers['if-range'], `"${large.digest}"`);
});

test('directories beyond keep are evicted an hour after they went out of date', async (t) => {
  const options = await consumer(t, 'keep');
  const paths: string[] = [];
  for (const version of ['1.0.0', '1.0.1', '1.0.2', '1.0.3']) {
    await publish('keep', packPackage(version));
    const { path } = await ensureArtefact({ ...options, keep: 2 });
    releaseArtefact(path);
    paths.push(path);
    const stateFile = join(path, '..', '.state.json');
    await writeFile(stateFile, (await readFile(stateFile, 'utf8')).replace(/20\d\d(-\d\d-\d\dT)/g, '2001$1'));
  }
  const left = (await readdir(join(paths[0] ?? '', '..'))).filter((name) => !name.startsWith('.'));
  assert.deepEqual(
    left.sort(),
    paths
      .slice(2)
      .map((path) => path.split('/').at(-1))
      .sort(),
  );
});

test('a file is published, downloaded, resumed after a lost connection, and replaced', async (t) => {
  const [one, two] = ['one', 'two'].map((seed) => describeTarball(incompressible(3_000_000, seed)));
  assert.ok(one && two);
  await publish('@acme/europe.pmtiles', one, { format: 'file', category: 'tileset' });
  const proxy = await startProxy(t, berth.url);
  const { architecture, ...options } = { ...(await consumer(t, '@acme/europe.pmtiles')), registryUrl: proxy.url };
  proxy.cut('/download', 1_000_000);
  const first = await ensureArtefactFile(options);
  assert.ok(Math.abs(Date.parse(first.dataUpdatedAt ?? '') - Date.now()) < 600_000);
  assert.deepEqual(first, {
    path: join(options.cacheDir, '@acme/europe.pmtiles'),
    dataUpdatedAt: first.dataUpdatedAt,
    digest: one.digest,
    downloaded: true,
    stale: false,
  });
  assert.match(proxy.requests.at(-1)?.headers.range ?? '', /^bytes=[1-9]\d{4,6}-$/);
  assert.deepEqual(await readFile(first.path), one.bytes);
  proxy.requests.length = 0;
  assert.deepEqual(await ensureArtefactFile(options), { ...first, downloaded: false });
  assert.equal(proxy.requests.length, 1);
  await publish('@acme/europe.pmtiles', two, { format: 'file' });
  const second = await ensureArtefactFile(options);
  assert.ok((second.dataUpdatedAt ?? '') > (first.dataUpdatedAt ?? ''));
  assert.deepEqual(second, { ...first, dataUpdatedAt: second.dataUpdatedAt, digest: two.digest });
  assert.deepEqual(await readFile(first.path), two.bytes);
  await assert.rejects(ensureArtefact({ ...options, architecture }), { status: 400, code: 'wrong_format' });
});

test('an add-on that the server detected is built', async (t) => {
  const gate = await makeGate(t);
  const { tarballs } = await publish('native', packAddon('1.0.0', gate, '42'));
  assert.equal(tarballs?.noarch?.hasNativeModules, true);
  const { path } = await ensureArtefact({ ...(await consumer(t, 'native')), build: true });
  assert.equal(callAddon(path), 42);
});
