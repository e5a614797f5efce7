// Downloads whose bytes are not those of the document or the digest.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import {
  assertComplete,
  assertEmpty,
  LARGE,
  OTHER,
  requestedRanges,
  requestedStarts,
} from './support/large-download.ts';
import { corrupting, cutting, onRequests } from './support/misbehaviours.ts';
import { ID, makeSetting } from './support/setting.ts';
import { describeTarball } from './support/tarballs.ts';

test('damaged bytes are downloaded again from the start', async (t) => {
  const flip = (body: Buffer): Buffer => {
    body[500_000] = (body[500_000] ?? 0) ^ 1;
    return body;
  };
  for (const damage of [
    flip,
    () => Buffer.alloc(LARGE.bytes.length),
    (body: Buffer) => Buffer.concat([OTHER.bytes, body]).subarray(0, body.length),
  ]) {
    const setting = await makeSetting(t);
    setting.registry.publish(ID, { noarch: LARGE });
    setting.registry.misbehave(onRequests('/tarball', 1, corrupting(damage)));
    await assertComplete(setting);
    assert.deepEqual(requestedRanges(setting), [undefined, undefined]);
  }
});

test('bytes that stay damaged are never returned', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(
    onRequests(
      '/tarball',
      Infinity,
      corrupting((body) => {
        body[10] = (body[10] ?? 0) ^ 1;
        return body;
      }),
    ),
  );
  await assert.rejects(ensureArtefact({ ...setting.options, retries: 1 }), {
    name: 'RegistryError',
    code: 'digest_mismatch',
    artefactId: ID,
  });
  await assertEmpty(setting);
});

test('a document that changes before the download is read again', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE }, { version: '1.0.0' });
  setting.registry.misbehave(
    onRequests('/tarball', 1, () => {
      setting.registry.publish(ID, { noarch: OTHER }, { version: '2.0.0' });
      return false;
    }),
  );
  const result = await ensureArtefact(setting.options);
  assert.equal(result.digest, OTHER.digest);
  assert.equal(result.version, '2.0.0');
  setting.registry.requests.length = 0;
  assert.equal((await ensureArtefact(setting.options)).downloaded, false);
  assert.equal(setting.registry.requests.length, 1);
});

test('If-Range detects an upload during an interrupted download', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(
    onRequests('/tarball', 1, (request, response) => {
      cutting(300_000)(request, response);
      setTimeout(() => {
        setting.registry.publish(ID, { noarch: OTHER });
      }, 20);
      return false;
    }),
  );
  await assertComplete(setting, OTHER);
  const [first, second = 0, third] = requestedStarts(setting);
  assert.ok(first === 0 && second > 0 && third === 0);
});

test('a document that never matches the bytes is an error', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE }, { tarballs: { noarch: { digest: OTHER.digest } } });
  await assert.rejects(ensureArtefact(setting.options), { code: 'digest_mismatch', artefactId: ID });
  await assertEmpty(setting);
});

test('a download without digest headers must have the digest of the document', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(
    onRequests('/tarball', 1, (_request, response) => {
      response.end(OTHER.bytes);
      return true;
    }),
  );
  await assertComplete(setting);
});

test('a successful response without a download is refused', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  for (const status of [204, 206, 304, 416]) {
    setting.registry.misbehave(
      onRequests('/tarball', Infinity, (_request, response) => {
        response.writeHead(status).end();
        return true;
      }),
    );
    await assert.rejects(ensureArtefact(setting.options), { status, code: 'bad_answer' });
  }
});

test('a damaged tarball with the right digest is refused and not cached', async (t) => {
  const setting = await makeSetting(t);
  const damaged = describeTarball(LARGE.bytes.subarray(0, 500_000));
  setting.registry.publish(ID, { noarch: damaged });
  await assert.rejects(ensureArtefact(setting.options), { name: 'ArchiveError', code: 'archive_damaged' });
  assert.equal(requestedRanges(setting).length, 1);
  await assertEmpty(setting);
});
