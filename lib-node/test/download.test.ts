import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { ensureArtefact } from '../dist/index.js';
import {
  corrupting,
  cutting,
  dropping,
  failing,
  hanging,
  onRequests,
  redirecting,
  stalling,
} from './support/misbehaviours.ts';
import type { Misbehaviour } from './support/registry-fixture.ts';
import { ID, makeRegistry, makeSetting } from './support/setting.ts';
import type { Setting } from './support/setting.ts';
import { describeTarball, incompressible, packPackage } from './support/tarballs.ts';

const CONTENT = incompressible(1_000_000);
const LARGE = packPackage('1.0.0', { 'data.bin': CONTENT });
const OTHER = packPackage('2.0.0', { 'data.bin': incompressible(1_000_000, 'other') });

const downloads = ({ registry }: Setting): (string | undefined)[] =>
  registry.requests.filter(({ url }) => url.includes('/tarball')).map(({ headers }) => headers.range);

/** First bytes asked for. A cut may take the last bytes that were sent with it, so tests know their order only. */
const starts = (setting: Setting): number[] =>
  downloads(setting).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0));

async function assertComplete(setting: Setting, tarball = LARGE): Promise<void> {
  const result = await ensureArtefact(setting.options);
  assert.equal(result.digest, tarball.digest);
  if (tarball === LARGE) assert.deepEqual(await readFile(join(result.path, 'data.bin')), CONTENT);
  assert.deepEqual((await readdir(join(result.path, '..'))).filter((name) => !/^[0-9a-f]{16}$/.test(name)).sort(), [
    '.lock',
    '.state.json',
  ]);
}

async function assertEmpty({ cacheDir }: Setting): Promise<void> {
  const names = await readdir(join(cacheDir, encodeURIComponent(ID), 'x64'));
  assert.deepEqual(
    names.filter((name) => !name.startsWith('.') || name.startsWith('.staging')),
    [],
  );
}

test('a body that is cut short goes on where it was cut', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(onRequests('/tarball', 2, cutting(300_000)));
  await assertComplete(setting);
  const [first, second = 0, third = 0] = starts(setting);
  assert.ok(first === 0 && second > 0 && second <= 300_000 && third > second && third <= second + 300_000);
  assert.equal(setting.registry.requests.at(-1)?.headers['if-range'], `"${LARGE.digest}"`);
});

test('a body that falls silent goes on where it stopped', async (t) => {
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
  const [first, second = 0] = starts(setting);
  assert.ok(first === 0 && second > 0 && second <= 200_000);
});

test('a download survives refusals, lost and silent connections', async (t) => {
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
    assert.equal(downloads(setting).length, 2);
  }
});

test('more cuts than retries are survived as long as each attempt gets further', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE });
  setting.registry.misbehave(onRequests('/tarball', 4, cutting(200_000)));
  setting.options = { ...setting.options, retries: 1 } as typeof setting.options;
  await assertComplete(setting);
  assert.equal(downloads(setting).length, 5);
});

test('a download that never gets further fails in the end and is taken up by the next call', async (t) => {
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
  const [start = 0, ...others] = starts(setting);
  assert.ok(start > 0 && start <= 400_000 && others.length === 0);
});

test('401, 403 and 404 of the download are final', async (t) => {
  for (const [status, code] of [
    [401, 'sign_in'],
    [403, 'no_download_right'],
    [404, 'artefact_not_found'],
  ] as const) {
    const setting = await makeSetting(t);
    setting.registry.publish(ID, { noarch: LARGE });
    setting.registry.misbehave(onRequests('/tarball', Infinity, failing(status, code)));
    await assert.rejects(ensureArtefact(setting.options), { name: 'RegistryError', status, code, artefactId: ID });
    assert.equal(downloads(setting).length, 1);
    await assertEmpty(setting);
  }
});

test('bytes damaged on their way are downloaded again from the first', async (t) => {
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
    assert.deepEqual(downloads(setting), [undefined, undefined]);
  }
});

test('bytes that stay damaged are never handed out', async (t) => {
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

test('a document that moves between the two requests is read again', async (t) => {
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

test('an upload while a body is cut is noticed by If-Range', async (t) => {
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
  const [first, second = 0, third] = starts(setting);
  assert.ok(first === 0 && second > 0 && third === 0);
});

test('a document that never agrees with the bytes is given up', async (t) => {
  const setting = await makeSetting(t);
  setting.registry.publish(ID, { noarch: LARGE }, { tarballs: { noarch: { digest: OTHER.digest } } });
  await assert.rejects(ensureArtefact(setting.options), { code: 'digest_mismatch', artefactId: ID });
  await assertEmpty(setting);
});

test('without a digest of its own the download has to have that of the document', async (t) => {
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

test('a range answered with all, with another range or with 416 begins anew', async (t) => {
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

test('a success that is no download is a bad answer', async (t) => {
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

test('a tarball that is damaged although its digest is right is refused and not cached', async (t) => {
  const setting = await makeSetting(t);
  const damaged = describeTarball(LARGE.bytes.subarray(0, 500_000));
  setting.registry.publish(ID, { noarch: damaged });
  await assert.rejects(ensureArtefact(setting.options), { name: 'ArchiveError', code: 'archive_damaged' });
  assert.equal(downloads(setting).length, 1);
  await assertEmpty(setting);
});

test(
  'a redirect to a storage of another origin carries no secret and is checked against the digest of ' + 'the redirect',
  async (t) => {
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
  },
);
