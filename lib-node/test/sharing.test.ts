import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import type { Progress } from '../dist/index.js';
import { startEnsure } from './support/children.ts';
import { failing, onRequests, stalling } from './support/misbehaviours.ts';
import { ID, makeSetting } from './support/setting.ts';
import type { Setting } from './support/setting.ts';
import { incompressible, packPackage } from './support/tarballs.ts';

const LARGE = packPackage('1.0.0', { 'index.js': 'export default 1', 'data.bin': incompressible(600_000) });
const OTHER = packPackage('2.0.0');

/** Pauses the next download half-way; resolves with the function that continues it. */
function pauseDownload({ registry }: Setting): Promise<() => void> {
  return new Promise((resolve) => {
    registry.misbehave(onRequests('/tarball', 1, stalling(300_000, resolve)));
  });
}

test('concurrent calls in one process download once and get the same directory', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const paused = pauseDownload(setting);
  const calls = Array.from({ length: 10 }, () => ensureArtefact(setting.options));
  (await paused)();
  const results = await Promise.all(calls);
  assert.equal(setting.registry.countRequests('/tarball'), 1);
  assert.equal(new Set(results.map(({ path }) => path)).size, 1);
  assert.equal(results.filter(({ downloaded }) => downloaded).length, 1);
});

test('eight concurrent processes download once and get the same directory', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const paused = pauseDownload(setting);
  const children = Array.from({ length: 8 }, () => startEnsure(setting.options));
  const release = await paused;
  while (setting.registry.requests.filter(({ url }) => !url.includes('/tarball')).length < 8)
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  release();
  const results = await Promise.all(children.map(({ result }) => result));
  assert.equal(setting.registry.countRequests('/tarball'), 1);
  assert.equal(new Set(results.map(({ path }) => path)).size, 1);
  assert.equal(results.filter(({ downloaded }) => downloaded).length, 1);
  assert.equal(await readFile(join(results[0]?.path ?? '', 'index.js'), 'utf8'), 'export default 1');
});

test('a call after an upload gets that upload, even while an older one is being downloaded', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const paused = pauseDownload(setting);
  const earlier = ensureArtefact(setting.options);
  const release = await paused;
  setting.registry.publish(ID, { noarch: OTHER });
  const later = ensureArtefact(setting.options);
  release();
  assert.equal((await later).digest, OTHER.digest);
  assert.equal((await earlier).digest, LARGE.digest);
});

test('callers with different credentials do not share a refusal', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave((request, response) =>
    request.url?.includes('/tarball') === true && request.headers['x-secret-key'] === 'weak'
      ? failing(403, 'no_download_right')(request, response)
      : false,
  );
  const weak = ensureArtefact({ ...setting.options, secretKey: 'weak' }).catch(() => undefined);
  assert.equal((await ensureArtefact(setting.options)).digest, LARGE.digest);
  await weak;
});

test('a caller that aborts does not stop the download that others wait for', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const paused = pauseDownload(setting);
  const controller = new AbortController();
  const aborted = ensureArtefact({ ...setting.options, signal: controller.signal });
  const reported: Progress[] = [];
  const waiting = ensureArtefact({
    ...setting.options,
    onProgress: (progress) => {
      reported.push(progress);
    },
  });
  const release = await paused;
  const reason = new Error('not needed any more');
  controller.abort(reason);
  await assert.rejects(aborted, reason);
  release();
  assert.equal((await waiting).digest, LARGE.digest);
  assert.equal(setting.registry.countRequests('/tarball'), 1);
  assert.equal(reported.filter(({ phase }) => phase === 'download').at(-1)?.bytesDone, LARGE.bytes.length);
});

test('the download stops when the last caller aborts, and the next call resumes it', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const paused = pauseDownload(setting);
  const controllers = [new AbortController(), new AbortController()];
  const arrived = new Promise<void>((resolve) => {
    for (const controller of controllers) {
      const onProgress = ({ bytesDone }: Progress): void => {
        if (bytesDone >= 250_000) resolve();
      };
      ensureArtefact({ ...setting.options, signal: controller.signal, onProgress }).catch(() => undefined);
    }
  });
  await paused;
  await arrived;
  for (const controller of controllers) controller.abort();
  const reason = new Error('too late');
  await assert.rejects(ensureArtefact({ ...setting.options, signal: AbortSignal.abort(reason) }), reason);
  const result = await ensureArtefact(setting.options);
  assert.equal(result.digest, LARGE.digest);
  assert.match(setting.registry.requests.at(-1)?.headers.range ?? '', /^bytes=2[5-9]\d{4}-|^bytes=300000-/);
  assert.deepEqual((await readdir(join(result.path, '..'))).sort(), [
    '.lock',
    '.state.json',
    LARGE.digest.slice(7, 23),
  ]);
});

test('a caller that waits for another process can abort by its signal', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const paused = pauseDownload(setting);
  const child = startEnsure(setting.options);
  const release = await paused;
  const controller = new AbortController();
  const reason = new Error('cannot wait');
  setTimeout(() => {
    controller.abort(reason);
  }, 100);
  await assert.rejects(ensureArtefact({ ...setting.options, signal: controller.signal }), reason);
  release();
  assert.equal((await child.result).downloaded, true);
});
