import assert from 'node:assert/strict';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefactFile } from '../dist/index.js';
import { startEnsure } from './support/children.ts';
import { corrupting, cutting, onRequests, redirecting, stalling } from './support/misbehaviours.ts';
import { makeFileSetting, makeRegistry } from './support/setting.ts';
import type { Setting } from './support/setting.ts';
import { describeTarball, incompressible } from './support/tarballs.ts';

const ID = 'europe.pmtiles';
const ONE = describeTarball(incompressible(2_000_000, 'one'));
const TWO = describeTarball(incompressible(2_000_000, 'two'));

const slotOf = ({ cacheDir }: Setting): string => join(cacheDir, '.files', ID);
const partOf = (setting: Setting): string => join(slotOf(setting), `.sha256-${ONE.digest.slice(7)}.part`);
const ranges = ({ registry }: Setting): (string | undefined)[] =>
  registry.requests.filter(({ url }) => url.endsWith('/download')).map(({ headers }) => headers.range);

async function assertComplete(setting: Setting, file = ONE): Promise<void> {
  const { path, digest } = await ensureArtefactFile(setting.options);
  assert.equal(digest, file.digest);
  assert.deepEqual(await readFile(path), file.bytes);
  assert.deepEqual((await readdir(slotOf(setting))).sort(), ['.lock', '.state.json']);
}

test('a download resumes after a lost connection', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  setting.registry.misbehave(onRequests('/download', 2, cutting(600_000)));
  await assertComplete(setting);
  const [first, second = '', third = ''] = ranges(setting);
  assert.deepEqual([first, /^bytes=\d+-$/.test(second), /^bytes=\d+-$/.test(third)], [undefined, true, true]);
  assert.equal(setting.registry.requests.at(-1)?.headers['if-range'], `"${ONE.digest}"`);
});

test('a download is resumed, and its bytes hashed again, after its process was killed', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  setting.registry.misbehave(
    onRequests(
      '/download',
      1,
      stalling(1_500_000, () => undefined),
    ),
  );
  const child = startEnsure(setting.options, 'ensureArtefactFile');
  while ((await stat(partOf(setting)).catch(() => undefined))?.size !== 1_500_000)
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  await child.kill();
  setting.registry.misbehave(undefined);
  await assertComplete(setting);
  assert.deepEqual(ranges(setting), [undefined, 'bytes=1500000-']);
});

test('a partial file with other, fewer or more bytes only costs a second download', async (t) => {
  for (const bytes of [
    TWO.bytes.subarray(0, 1000),
    TWO.bytes,
    Buffer.concat([ONE.bytes, Buffer.from('more')]),
    Buffer.alloc(0),
  ]) {
    const setting = await makeFileSetting(t, ID);
    setting.registry.publishFile(ID, ONE);
    await mkdir(slotOf(setting), { recursive: true });
    await writeFile(partOf(setting), bytes);
    await assertComplete(setting);
  }
});

test('the download of a newer upload does not resume the partial file of the previous one', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  setting.registry.misbehave(onRequests('/download', 1, cutting(700_000)));
  await assert.rejects(ensureArtefactFile({ ...setting.options, retries: 0 }), { code: 'body_cut' });
  assert.ok((await stat(partOf(setting))).size > 0);
  setting.registry.publishFile(ID, TWO);
  setting.registry.requests.length = 0;
  await assertComplete(setting, TWO);
  assert.deepEqual(ranges(setting), ['bytes=700000-']);
  assert.equal(setting.registry.requests[0]?.headers['if-range'], `"${ONE.digest}"`);
});

test('bytes with a wrong digest never replace the file', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  await assertComplete(setting);
  setting.registry.publishFile(ID, TWO);
  setting.registry.misbehave(
    onRequests(
      '/download',
      Infinity,
      corrupting((body) => body.fill(0, 5, 10)),
    ),
  );
  await assert.rejects(ensureArtefactFile({ ...setting.options, retries: 1 }), {
    name: 'RegistryError',
    code: 'digest_mismatch',
    artefactId: ID,
  });
  assert.deepEqual(await readFile(join(setting.cacheDir, ID)), ONE.bytes);
  setting.registry.misbehave(undefined);
  await assertComplete(setting, TWO);
});

test('concurrent calls and processes download once', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  const children = Array.from({ length: 3 }, () => startEnsure(setting.options, 'ensureArtefactFile').result);
  const calls = Array.from({ length: 10 }, () => ensureArtefactFile(setting.options));
  const results = await Promise.all([...children, ...calls]);
  assert.equal(results.filter(({ downloaded }) => downloaded).length, 1);
  assert.deepEqual(new Set(results.map(({ digest }) => digest)), new Set([ONE.digest]));
  const conditions = setting.registry.requests.map(({ headers }) => headers['if-none-match']);
  assert.deepEqual(conditions.sort(), [...Array.from({ length: 12 }, () => `"${ONE.digest}"`), undefined]);
});

test('a complete partial file needs one request and no byte', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  await mkdir(slotOf(setting), { recursive: true });
  await writeFile(partOf(setting), ONE.bytes);
  await assertComplete(setting);
  assert.deepEqual(ranges(setting), [`bytes=${ONE.bytes.length}-`]);
});

test('an update is one request; one that was interrupted resumes', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  await assertComplete(setting);
  setting.registry.publishFile(ID, TWO);
  setting.registry.requests.length = 0;
  await assertComplete(setting, TWO);
  assert.equal(setting.registry.requests.length, 1);
  setting.registry.publishFile(ID, ONE);
  setting.registry.misbehave(onRequests('/download', 1, cutting(700_000)));
  await assert.rejects(ensureArtefactFile({ ...setting.options, retries: 0 }), { code: 'body_cut' });
  assert.deepEqual(await readFile(join(setting.cacheDir, ID)), TWO.bytes);
  await assertComplete(setting);
  assert.equal(ranges(setting).at(-1), 'bytes=700000-');
});

test('an update that a caller began and gave up is completed for the others', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  await assertComplete(setting);
  setting.registry.publishFile(ID, TWO);
  const stalled = new Promise<() => void>((resolve) => {
    setting.registry.misbehave(onRequests('/download', 1, stalling(1_000_000, resolve)));
  });
  const impatient = new AbortController();
  const first = ensureArtefactFile({ ...setting.options, signal: impatient.signal });
  const proceed = await stalled;
  const others = [ensureArtefactFile(setting.options), ensureArtefactFile(setting.options)];
  while (setting.registry.requests.length < 4)
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  impatient.abort(new Error('enough'));
  await assert.rejects(first, /enough/);
  proceed();
  for (const { digest } of await Promise.all(others)) assert.equal(digest, TWO.digest);
});

test('a file from another program or an earlier version of the library is not downloaded again', async (t) => {
  const setting = await makeFileSetting(t, ID);
  setting.registry.publishFile(ID, ONE);
  await writeFile(join(setting.cacheDir, ID), ONE.bytes);
  assert.equal((await ensureArtefactFile(setting.options)).downloaded, false);
  assert.equal(setting.registry.requests.length, 1);
  // State of a version that read the document: its ETag is that of the document.
  const path = join(slotOf(setting), '.state.json');
  const state = JSON.parse(await readFile(path, 'utf8')) as object;
  await writeFile(path, JSON.stringify({ ...state, etag: '"of-the-document"' }));
  assert.equal((await ensureArtefactFile(setting.options)).downloaded, false);
  assert.equal(setting.registry.requests.length, 2);
});

test('a redirect to a storage is followed without secrets, resumed without If-Range, and verified', async (t) => {
  const setting = await makeFileSetting(t, ID);
  const storage = await makeRegistry(t);
  setting.registry.publishFile(ID, ONE);
  const headers = {
    'etag': `"${ONE.digest}"`,
    'repr-digest': `sha-256=:${Buffer.from(ONE.digest.slice(7), 'hex').toString('base64')}:`,
  };
  setting.registry.misbehave(
    onRequests(
      '/download',
      Infinity,
      redirecting(() => `${storage.origin}/bucket/x?signature=1`, headers),
    ),
  );
  let answers = 0;
  storage.misbehave((request, response) => {
    answers += 1;
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const rest = ONE.bytes.subarray(start);
    if (answers === 1) cutting(800_000)(request, response);
    const range = start === 0 ? {} : { 'content-range': `bytes ${start}-${ONE.bytes.length - 1}/${ONE.bytes.length}` };
    response
      .writeHead(start === 0 ? 200 : 206, {
        'etag': '"0123456789abcdef-2"',
        'content-length': rest.length,
        ...range,
      })
      .end(answers === 2 ? Buffer.alloc(rest.length) : rest);
    return true;
  });
  await assertComplete(setting);
  assert.equal(answers, 3);
  const [first, second, third] = storage.requests.map((request) => request.headers);
  assert.deepEqual(
    [first?.range, /^bytes=[1-9]\d*-$/.test(second?.range ?? ''), third?.range],
    [undefined, true, undefined],
  );
  for (const { headers: sent } of storage.requests)
    assert.deepEqual(
      ['x-secret-key', 'if-range', 'cookie', 'authorization'].filter((name) => name in sent),
      [],
    );
});

test('an older registry: the date tells what is new, the digest is computed, nothing is resumed', async (t) => {
  const setting = await makeFileSetting(t, ID, { age: 'tarballs' });
  const { registry, options } = setting;
  registry.publishFile(ID, ONE);
  registry.misbehave(onRequests('/download', 1, cutting(500_000)));
  await assertComplete(setting);
  assert.deepEqual(ranges(setting), [undefined, undefined]);
  registry.requests.length = 0;
  assert.equal((await ensureArtefactFile(options)).downloaded, false);
  assert.equal(registry.requests.length, 1);
  assert.match(registry.requests[0]?.headers['if-modified-since'] ?? '', /^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/);
  registry.publishFile(ID, TWO);
  registry.requests.length = 0;
  await assertComplete(setting, TWO);
  assert.equal(registry.requests.length, 1);
});
