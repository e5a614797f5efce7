// Starts with S3 storage: success, and the messages for an unusable bucket.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ConfigError, createServer } from '../index.ts';
import { startS3Proxy } from './support/s3-proxy.ts';
import { createTestS3, testS3Url, type TestS3 } from './support/s3.ts';

let directory: string;
let place: TestS3;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-start-s3-'));
  place = await createTestS3();
});
after(async () => {
  await place.remove();
  await rm(directory, { recursive: true });
});

const start = (env: Record<string, string>) =>
  createServer({ env: { PORT: '0', DATA_DIR: directory, LOG_LEVEL: 'silent', ...place.env, ...env } });

/** Starts, and returns the one-sentence message of the failure. */
async function refusal(env: Record<string, string>): Promise<string> {
  const error = await start(env).then(
    (server) => server.close(),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected a refusal, got ${String(error)}`);
  assert.match(error.message, /^[^\n]+\.$/);
  return error.message;
}

describe('a failed start with S3 storage names the setting to correct in one sentence', () => {
  test('for missing settings', async () => {
    assert.equal(await refusal({ S3_BUCKET: '' }), 'FILES_STORAGE=s3 also requires S3_BUCKET, which is not set.');
    assert.equal(
      await refusal({ S3_ACCESS_KEY_ID: '' }),
      'S3_SECRET_ACCESS_KEY also requires S3_ACCESS_KEY_ID, which is not set.',
    );
  });

  test('for invalid settings', async () => {
    assert.equal(
      await refusal({ S3_ENDPOINT: 's3.example.org' }),
      'S3_ENDPOINT is "s3.example.org", but it must be of the form https://s3.example.org.',
    );
    for (const root of ['a/../b', '..', 'a//b', 'a b', '.'])
      assert.equal(
        await refusal({ S3_ROOT_DIR: root }),
        `S3_ROOT_DIR is "${root}", but it must be of the form registry/production.`,
      );
    assert.match(
      await refusal({ S3_CHECKSUMS: 'sometimes' }),
      /^S3_CHECKSUMS is "sometimes", but it must be one of WHEN_REQUIRED, WHEN_SUPPORTED\.$/,
    );
    assert.match(await refusal({ S3_DOWNLOAD_URL_EXPIRY_SECONDS: '0' }), /from 1 to 604800/);
    assert.match(
      await refusal({ MAX_UPLOAD_BYTES: String(1024 ** 4) }),
      /^MAX_UPLOAD_BYTES is 1099511627776, but S3 accepts at most \d+ bytes/,
    );
  });

  test('for a bucket that does not exist', async () => {
    assert.equal(
      await refusal({ S3_BUCKET: 'no-such-bucket' }),
      'S3_BUCKET is no-such-bucket, which does not exist: create it, or choose another bucket.',
    );
  });

  test('for a wrong secret and an unknown key, without showing the secret', async () => {
    assert.equal(
      await refusal({ S3_SECRET_ACCESS_KEY: 'hush' }),
      'S3_SECRET_ACCESS_KEY (not shown) is not the secret of S3_ACCESS_KEY_ID (test:tester).',
    );
    assert.match(
      await refusal({ S3_ACCESS_KEY_ID: 'nobody:nowhere' }),
      /^S3_(ACCESS_KEY_ID is nobody:nowhere|SECRET_ACCESS_KEY \(not shown\))/,
    );
  });

  test('for a server that does not answer, and one that refuses', async (t) => {
    assert.equal(
      await refusal({ S3_ENDPOINT: 'http://127.0.0.1:1' }),
      'S3_ENDPOINT is http://127.0.0.1:1, but the S3 server cannot be used: connect ECONNREFUSED 127.0.0.1:1.',
    );
    assert.match(
      await refusal({ S3_ENDPOINT: 'http://nowhere.invalid' }),
      /^S3_ENDPOINT is http:\/\/nowhere\.invalid, but the S3 server cannot be used: getaddrinfo /,
    );
    const proxy = await startS3Proxy(await testS3Url());
    t.after(() => proxy.close());
    proxy.break('silent', { calls: /./, times: Infinity });
    assert.match(
      await refusal({ S3_ENDPOINT: proxy.url }),
      /^S3_ENDPOINT is [^ ]+, but the S3 server cannot be used: no answer in time\.$/,
    );
    proxy.break({ status: 403, name: 'AccessDenied' }, { calls: /./, times: Infinity });
    assert.equal(
      await refusal({ S3_ENDPOINT: proxy.url }),
      'S3_ACCESS_KEY_ID is test:tester, which lacks permission to write, read and delete in the bucket berth-test.',
    );
    proxy.break({ status: 400, name: 'AuthorizationHeaderMalformed' }, { calls: /./, times: Infinity });
    assert.equal(
      await refusal({ S3_ENDPOINT: proxy.url, S3_REGION: 'eu-west-3' }),
      'S3_REGION is eu-west-3, but the bucket berth-test is in another region.',
    );
  });
});

test('a start leaves nothing in the bucket, and accepts a root with or without surrounding slashes', async () => {
  for (const root of [place.root, `/${place.root}/`]) {
    const server = await start({ S3_ROOT_DIR: root });
    assert.equal(server.config.S3_ROOT_DIR, place.root);
    await server.close();
  }
  assert.deepEqual(await place.leftovers(), []);
});

test('a server loads the S3 SDK only with S3 storage', async () => {
  const specifiers: string[] = [];
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      specifiers.push(specifier);
      return next(specifier, context);
    },
  });
  try {
    for (const storage of ['fs', 's3']) {
      const server = await start({ FILES_STORAGE: storage });
      await server.close();
      assert.equal(
        specifiers.some((specifier) => specifier.startsWith('@aws-sdk/')),
        storage === 's3',
      );
    }
  } finally {
    hooks.deregister();
  }
});
