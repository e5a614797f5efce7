import assert from 'node:assert/strict';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import { cutting, dropping, failing, hanging, onRequests } from './support/misbehaviours.ts';
import { ID, makeSetting } from './support/setting.ts';
import { incompressible, packPackage } from './support/tarballs.ts';

const ONE = packPackage('1.0.0');
const TWO = packPackage('1.1.0', { 'data.bin': incompressible(300_000) });

test('allowStale returns the cached copy while the registry is unreachable', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE }, { version: '1.0.0' });
  const first = await ensureArtefact(options);
  for (const misbehaviour of [dropping(), hanging()]) {
    registry.misbehave(misbehaviour);
    const limits = { ...options, retries: 1, timeoutMs: 200 };
    assert.deepEqual(await ensureArtefact({ ...limits, allowStale: true }), {
      ...first,
      downloaded: false,
      stale: true,
    });
    await assert.rejects(ensureArtefact(limits), { code: 'unreachable' });
  }
});

test('allowStale returns the cached copy if the registry disappears before the download', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  const first = await ensureArtefact(options);
  registry.publish(ID, { noarch: TWO });
  registry.misbehave(onRequests('/tarball', Infinity, dropping()));
  const result = await ensureArtefact({ ...options, retries: 0, allowStale: true });
  assert.deepEqual(result, { ...first, downloaded: false, stale: true });
  registry.misbehave(undefined);
  assert.equal((await ensureArtefact({ ...options, allowStale: true })).digest, TWO.digest);
});

test('an unreachable registry is an error if nothing is cached', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.misbehave(dropping());
  await assert.rejects(ensureArtefact({ ...options, retries: 0, allowStale: true }), {
    code: 'unreachable',
    artefactId: ID,
  });
});

test('an error response is never replaced by the cached copy', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  await ensureArtefact(options);
  for (const [status, code] of [
    [401, 'key_expired'],
    [403, 'key_scope'],
    [404, 'artefact_not_found'],
    [429, 'busy'],
    [500, 'broken'],
  ] as const) {
    registry.misbehave(failing(status, code));
    await assert.rejects(ensureArtefact({ ...options, retries: 0, allowStale: true }), { status, code });
  }
  registry.publish(ID, { noarch: TWO });
  registry.misbehave(onRequests('/tarball', Infinity, cutting(1000)));
  await assert.rejects(ensureArtefact({ ...options, retries: 0, allowStale: true }), { code: 'body_cut' });
});

test('a copy from another registry is not returned', async (t) => {
  const { registry, options } = await makeSetting(t);
  registry.publish(ID, { noarch: ONE });
  await ensureArtefact(options);
  registry.misbehave(dropping());
  await assert.rejects(
    ensureArtefact({ ...options, registryUrl: `${registry.url}/other`, retries: 0, allowStale: true }),
    { code: 'unreachable' },
  );
});
