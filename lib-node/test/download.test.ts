// Interrupted downloads: retries and resuming.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import { assertComplete, assertEmpty, LARGE, requestedRanges, requestedStarts } from './support/large-download.ts';
import { cutting, dropping, failing, hanging, onRequests, redirecting, stalling } from './support/misbehaviours.ts';
import type { Misbehaviour } from './support/registry-fixture.ts';
import { ID, makeRegistry, makeSetting } from './support/setting.ts';

test('a download resumes after its body was cut short', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(onRequests('/tarball', 2, cutting(300_000)));
  await assertComplete(setting);
  const [first, second = 0, third = 0] = requestedStarts(setting);
  assert.ok(first === 0 && second > 0 && second <= 300_000 && third > second && third <= second + 300_000);
  assert.equal(setting.registry.requests.at(-1)?.headers['if-range'], `"${LARGE.digest}"`);
});

test('a download resumes after its connection was idle for too long', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(
    onRequests(
      '/tarball',
      1,
      stalling(200_000, () => undefined),
    ),
  );
  setting.options = { ...setting.options, timeoutMs: 1000 } as typeof setting.options;
  await assertComplete(setting);
  const [first, second = 0] = requestedStarts(setting);
  assert.ok(first === 0 && second > 0 && second <= 200_000);
});

test('a download survives transient refusals, lost and idle connections', async (t) => {
  for (const misbehaviour of [
    failing(500, 'broken'),
    failing(429, 'busy', { 'retry-after': '0' }),
    dropping(),
    hanging(),
  ]) {
    const setting = await makeSetting(t);
    setting.registry.publish(ID, { noarch: LARGE });
    setting.registry.misbehave(onRequests('/tarball', 1, misbehaviour));
    setting.options = { ...setting.options, timeoutMs: 1500 } as typeof setting.options;
    await assertComplete(setting);
    assert.equal(requestedRanges(setting).length, 2);
  }
});

test('more lost connections than retries are survived as long as each attempt makes progress', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(onRequests('/tarball', 4, cutting(200_000)));
  setting.options = { ...setting.options, retries: 1 } as typeof setting.options;
  await assertComplete(setting);
  assert.equal(requestedRanges(setting).length, 5);
});

test('a download without progress fails in the end, and is resumed by the next call', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  let isFirst = true;
  setting.registry.misbehave(
    onRequests('/tarball', Infinity, (request, response) => {
      const misbehaviour: Misbehaviour = isFirst ? cutting(400_000) : dropping();
      isFirst = false;
      return misbehaviour(request, response);
    }),
  );
  await assert.rejects(ensureArtefact({ ...setting.options, retries: 1 }), {
    name: 'RegistryError',
    status: 0,
    artefactId: ID,
  });
  await assertEmpty(setting);
  setting.registry.misbehave(undefined);
  setting.registry.requests.length = 0;
  await assertComplete(setting);
  const [start = 0, ...others] = requestedStarts(setting);
  assert.ok(start > 0 && start <= 400_000 && others.length === 0);
});

test('401, 403 and 404 of the download are not retried', async (t) => {
  for (const [status, code] of [
    [401, 'sign_in'],
    [403, 'no_download_right'],
    [404, 'artefact_not_found'],
  ] as const) {
    const setting = await makeSetting(t);
    setting.registry.publish(ID, { noarch: LARGE });
    setting.registry.misbehave(onRequests('/tarball', Infinity, failing(status, code)));
    await assert.rejects(ensureArtefact(setting.options), { name: 'RegistryError', status, code, artefactId: ID });
    assert.equal(requestedRanges(setting).length, 1);
    await assertEmpty(setting);
  }
});

test('a range request answered with the whole body, another range or 416 starts over', async (t) => {
  const odd: Misbehaviour[] = [
    (_request, response) => {
      response.writeHead(200, { etag: `"${LARGE.digest}"` }).end(LARGE.bytes);
      return true;
    },
    (_request, response) => {
      response.writeHead(206, { 'etag': `"${LARGE.digest}"`, 'content-range': 'bytes 5-9/10' }).end('12345');
      return true;
    },
    (_request, response) => {
      response.writeHead(416, { 'content-range': 'bytes */10' }).end();
      return true;
    },
  ];
  for (const misbehaviour of odd) {
    const setting = await makeSetting(t);
    setting.registry.publish(ID, { noarch: LARGE });
    let count = 0;
    setting.registry.misbehave(
      onRequests('/tarball', 2, (request, response) => {
        count += 1;
        return count === 1 ? cutting(300_000)(request, response) : misbehaviour(request, response);
      }),
    );
    await assertComplete(setting);
  }
});

test('a redirect to another origin is followed without secrets, and its digest is verified', async (t) => {
  const setting = await makeSetting(t);
  const storage = await makeRegistry(t);
  setting.registry.publish(ID, { noarch: LARGE });
  const etag = `"${LARGE.digest}"`;
  setting.registry.misbehave(
    onRequests(
      '/tarball',
      Infinity,
      redirecting(() => `${storage.origin}/object?signature=1`, { etag }),
    ),
  );
  let cuts = 1;
  storage.misbehave((request, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (cuts > 0) cutting(250_000)(request, response);
    cuts -= 1;
    const head =
      start === 0 ? {} : { 'content-range': `bytes ${start}-${LARGE.bytes.length - 1}/${LARGE.bytes.length}` };
    response
      .writeHead(start === 0 ? 200 : 206, { 'etag': '"md5"', 'content-length': LARGE.bytes.length - start, ...head })
      .end(LARGE.bytes.subarray(start));
    return true;
  });
  await assertComplete(setting);
  assert.equal(storage.requests.length, 2);
  assert.match(String(storage.requests[1]?.headers.range), /^bytes=[1-9]\d*-$/);
  for (const { headers } of storage.requests)
    assert.deepEqual([headers['if-range'], headers['x-secret-key']], [undefined, undefined]);
});
