// Real builds with npm, node-gyp and a C compiler, for the Node that runs these tests.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import type { BuildError } from '../dist/index.js';
import { createArtefactCache } from '../dist/ensure.js';
import { callAddon, isBuilt, makeGate, packAddon, packScripted } from './support/addons.ts';
import { startEnsure } from './support/children.ts';
import { ID, makeSetting } from './support/setting.ts';
import { packPackage } from './support/tarballs.ts';

const SLOT = `x64+abi${process.versions.modules}-${process.platform}-${process.arch}`;
const entriesOf = async (path: string): Promise<string[]> => (await readdir(join(path, '..'))).sort();

test('an add-on is built once for the running Node, in a directory separate from the unbuilt one', async (t) => {
  const { registry, cacheDir, options } = await makeSetting(t);
  const gate = await makeGate(t);
  const tarball = packAddon('1.0.0', gate, '42');
  registry.publish(ID, { noarch: tarball });
  const first = await ensureArtefact({ ...options, build: true });
  assert.equal(callAddon(first.path), 42);
  assert.ok(first.path.startsWith(join(cacheDir, encodeURIComponent(ID), SLOT)));
  assert.deepEqual(await entriesOf(first.path), ['.lock', '.state.json', tarball.digest.slice(7, 23)]);

  registry.requests.length = 0;
  assert.deepEqual(await ensureArtefact({ ...options, build: true }), { ...first, downloaded: false });
  assert.equal(registry.requests.length, 1);
  assert.equal(await gate.countBuilds(), 1);

  const plain = await ensureArtefact(options);
  assert.notEqual(plain.path, first.path);
  assert.equal(isBuilt(plain.path), false);
  assert.equal(await gate.countBuilds(), 1);
});

test('a failed build rejects with the output of the compiler, and the previous build stays', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  registry.publish(ID, { noarch: packAddon('1.0.0', gate, '1') });
  const first = await ensureArtefact({ ...options, build: true });
  registry.publish(ID, { noarch: packAddon('1.1.0', gate, '1 +') });
  for (const attempt of ['first', 'second']) {
    await assert.rejects(
      ensureArtefact({ ...options, build: true }),
      (error: BuildError) => {
        assert.deepEqual([error.name, error.code, error.artefactId], ['BuildError', 'rebuild_failed', ID]);
        assert.match(error.stderr, /addon\.c:\d+:\d+: error: expected expression/);
        assert.match(error.message, /^@acme\/sample@1 cannot be built: npm rebuild failed with exit status 1\n/);
        return true;
      },
      attempt,
    );
  }
  assert.equal(registry.countRequests('/tarball'), 2, 'a retry builds again without another download');
  assert.equal(callAddon(first.path), 1);
  registry.publish(ID, { noarch: packAddon('1.2.0', gate, '3') });
  const third = await ensureArtefact({ ...options, build: true });
  assert.equal(callAddon(third.path), 3);
  assert.deepEqual(
    (await entriesOf(third.path)).filter((name) => name.startsWith('.')),
    ['.lock', '.state.json'],
  );
});

test('an add-on that was built but cannot be loaded is refused', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  registry.publish(ID, { noarch: packAddon('1.0.0', gate, 'nowhere', 'extern int nowhere;') });
  await assert.rejects(ensureArtefact({ ...options, build: true }), (error: BuildError) => {
    assert.deepEqual([error.name, error.code], ['BuildError', 'addon_unloadable']);
    assert.match(error.message, /Release\/addon\.node was built but cannot be loaded: exit status 1\n/);
    assert.match(error.message, /undefined symbol: nowhere/);
    return true;
  });
});

test('without headers, builds that need none succeed; others fail with the searched directories', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  const cache = createArtefactCache({ headerRoots: ['/nowhere', '/elsewhere'] });
  registry.publish(ID, { noarch: packScripted('1.0.0', gate) });
  assert.equal((await cache.ensureArtefact({ ...options, build: true })).downloaded, true);
  registry.publish(ID, { noarch: packAddon('1.1.0', gate, '1') });
  await assert.rejects(cache.ensureArtefact({ ...options, build: true }), {
    name: 'BuildError',
    code: 'headers_missing',
    message: new RegExp(`no headers of Node ${process.versions.node} found in /nowhere, /elsewhere:`),
  });
});

test('the environment of a build contains nothing of the service', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  const own = {
    SECRET_REGISTRY: 'hunter2',
    AWS_SECRET_ACCESS_KEY: 'hunter2',
    NODE_OPTIONS: '--no-warnings',
    NPM_TOKEN: 'hunter2',
    npm_config__auth: 'hunter2',
    https_proxy: 'http://user:hunter2@proxy:1',
    HTTP_PROXY: 'http://proxy:1',
    npm_config_https_proxy: 'http://proxy:1',
    LC_ALL: 'C.UTF-8',
  };
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env = { ...before, ...own };
  registry.publish(ID, { noarch: packScripted('1.0.0', gate) });
  const { path } = await ensureArtefact({ ...options, secretKey: 'hunter2', build: true });
  const environment = await gate.readEnvironment();
  assert.equal(JSON.stringify(environment).includes('hunter2'), false);
  assert.deepEqual(
    Object.entries(environment).filter(([name, value]) => /proxy/i.test(name) && value !== ''),
    [],
  );
  const allowed = /^(?:PATH|HOME|LANG|LANGUAGE|LC_.+|npm_.+|NODE|COLOR|EDITOR|INIT_CWD|PWD|OLDPWD|SHLVL|_)$/;
  assert.deepEqual(
    Object.keys(environment).filter((name) => !allowed.test(name)),
    [],
  );
  assert.equal(environment.LC_ALL, 'C.UTF-8');
  assert.equal(environment.npm_config_offline, 'true');
  assert.ok(environment.HOME?.startsWith(`${join(path, '..')}/.staging-`));
  assert.equal(environment.npm_node_execpath, process.execPath);
  assert.deepEqual((await entriesOf(path)).slice(0, 2), ['.lock', '.state.json']);
});

test('a package without native modules is not built', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  registry.publish(ID, { noarch: { ...packScripted('1.0.0', gate), hasNativeModules: false } });
  assert.equal((await ensureArtefact({ ...options, build: true })).downloaded, true);
  assert.equal(await gate.countBuilds(), 0);
});

test('packages of older registries, which do not detect native modules, are always built', async (t) => {
  const { registry, options } = await makeSetting(t, { age: 'single' });
  const gate = await makeGate(t);
  registry.publish(ID, { noarch: packScripted('1.0.0', gate) }, { hasNativeModules: undefined });
  await ensureArtefact({ ...options, build: true });
  assert.equal(await gate.countBuilds(), 1);
});

test('concurrent processes build once', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  registry.publish(ID, { noarch: packScripted('1.0.0', gate) });
  await gate.close();
  const children = [1, 2].map(() => startEnsure({ ...options, build: true }).result);
  const calls = [1, 2, 3].map(() => ensureArtefact({ ...options, build: true }));
  await gate.waitForBuilds(1);
  await gate.open();
  const results = await Promise.all([...children, ...calls]);
  assert.equal(await gate.countBuilds(), 1);
  assert.equal(new Set(results.map(({ path }) => path)).size, 1);
  assert.equal(results.filter(({ downloaded }) => downloaded).length, 1);
});

test('a build is restarted after its process was killed', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  registry.publish(ID, { noarch: packScripted('1.0.0', gate) });
  await gate.close();
  const child = startEnsure({ ...options, build: true });
  await gate.waitForBuilds(1);
  await child.kill();
  const next = ensureArtefact({ ...options, build: true });
  await gate.waitForBuilds(2);
  await gate.open();
  const { path } = await next;
  assert.deepEqual(await entriesOf(path), ['.lock', '.state.json', path.split('/').at(-1)]);
  assert.equal(registry.countRequests('/tarball'), 1);
});

test('a signal kills the build with all its processes', async (t) => {
  const { registry, options } = await makeSetting(t);
  const gate = await makeGate(t);
  const tarball = packScripted('1.0.0', gate);
  registry.publish(ID, { noarch: tarball });
  await gate.close();
  const controller = new AbortController();
  const phases = new Set<string>();
  const building = ensureArtefact({
    ...options,
    build: true,
    signal: controller.signal,
    onProgress: ({ phase }) => {
      phases.add(phase);
    },
  });
  await gate.waitForBuilds(1);
  const reason = new Error('no time for compilers');
  controller.abort(reason);
  await assert.rejects(building, reason);
  assert.ok(phases.has('build'));
  await gate.open();
  const { path } = await ensureArtefact({ ...options, build: true });
  assert.equal(registry.countRequests('/tarball'), 1);
  assert.deepEqual(await entriesOf(path), ['.lock', '.state.json', tarball.digest.slice(7, 23)]);
});

test('a package without native modules needs neither npm nor headers', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: packPackage('1.0.0') });
  const { path } = await createArtefactCache({ headerRoots: [] }).ensureArtefact({ ...options, build: true });
  assert.deepEqual(await readdir(path), ['package.json']);
});
