// Starts with files on S3: that they succeed, and what is said when the bucket cannot be used.

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

/** Starts, and returns the one sentence by which it was refused. */
async function refusal(env: Record<string, string>): Promise<string> {
  const error = await start(env).then(
    (server) => server.close(),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, `expected a refusal, got ${String(error)}`);
  assert.match(error.message, /^[^\n]+\.$/);
  return error.message;
}

describe('a start with files on S3 that cannot succeed says in one sentence which setting to put right', () => {
  test('settings that are missing', async () => {
    assert.equal(
      await refusal({ S3_BUCKET: '' }),
      'FILES_STORAGE holds "s3", which needs S3_BUCKET too: not set so far.',
    );
    assert.equal(
      await refusal({ S3_BUCKET: '', S3_ACCESS_KEY_ID: '' }),
      'FILES_STORAGE holds "s3", which needs S3_BUCKET, S3_ACCESS_KEY_ID too: not set so far.',
    );
  });

  test('settings that are none', async () => {
    assert.equal(
      await refusal({ S3_ENDPOINT: 's3.example.org' }),
      'S3_ENDPOINT holds "s3.example.org", but it must be text like https://s3.example.org.',
    );
    for (const root of ['a/../b', '..', 'a//b', 'a b', '.'])
      assert.equal(
        await refusal({ S3_ROOT_DIR: root }),
        `S3_ROOT_DIR holds "${root}", but it must be text like registry/production.`,
      );
    assert.match(
      await refusal({ S3_CHECKSUMS: 'sometimes' }),
      /^S3_CHECKSUMS holds "sometimes", but it must be one of WHEN_REQUIRED, WHEN_SUPPORTED\.$/,
    );
    assert.match(await refusal({ S3_DOWNLOAD_URL_EXPIRY_SECONDS: '0' }), /from 1 to 604800/);
    assert.match(
      await refusal({ MAX_UPLOAD_BYTES: String(1024 ** 4) }),
      /^MAX_UPLOAD_BYTES holds 1099511627776, but S3 takes at most \d+ bytes/,
    );
  });

  test('a bucket that does not exist', async () => {
    assert.equal(
      await refusal({ S3_BUCKET: 'no-such-bucket' }),
      'S3_BUCKET holds no-such-bucket, which does not exist: create it, or choose another one.',
    );
  });

  test('a wrong secret and an unknown key, without showing the secret', async () => {
    assert.equal(
      await refusal({ S3_SECRET_ACCESS_KEY: 'hush' }),
      'S3_SECRET_ACCESS_KEY holds a value (not shown) that is not the secret of S3_ACCESS_KEY_ID (test:tester).',
    );
    assert.match(
      await refusal({ S3_ACCESS_KEY_ID: 'nobody:nowhere' }),
      /^S3_(ACCESS_KEY_ID holds nobody:nowhere|SECRET_ACCESS_KEY holds a value \(not shown\))/,
    );
  });

  test('a server that does not answer, and one that refuses', async (t) => {
    assert.equal(
      await refusal({ S3_ENDPOINT: 'http://127.0.0.1:1' }),
      'S3_ENDPOINT holds http://127.0.0.1:1, where the S3 server cannot be used: connect ECONNREFUSED 127.0.0.1:1.',
    );
    assert.match(
      await refusal({ S3_ENDPOINT: 'http://nowhere.invalid' }),
      /^S3_ENDPOINT holds http:\/\/nowhere\.invalid, where the S3 server cannot be used: getaddrinfo /,
    );
    const proxy = await startS3Proxy(await testS3Url());
    t.after(() => proxy.close());
    proxy.break('silent', { calls: /./, times: Infinity });
    assert.match(
      await refusal({ S3_ENDPOINT: proxy.url }),
      /^S3_ENDPOINT holds [^ ]+, where the S3 server cannot be used: no answer in time\.$/,
    );
    proxy.break({ status: 403, name: 'AccessDenied' }, { calls: /./, times: Infinity });
    assert.equal(
      await refusal({ S3_ENDPOINT: proxy.url }),
      'S3_ACCESS_KEY_ID holds test:tester, which may not write, read and delete in the bucket berth-test.',
    );
    proxy.break({ status: 400, name: 'AuthorizationHeaderMalformed' }, { calls: /./, times: Infinity });
    assert.equal(
      await refusal({ S3_ENDPOINT: proxy.url, S3_REGION: 'eu-west-3' }),
      'S3_REGION holds eu-west-3, which is not where the bucket berth-test is.',
    );
  });
});

test('a start leaves nothing in the bucket, and takes a root with or without slashes around it', async () => {
  for (const root of [place.root, `/${place.root}/`]) {
    const server = await start({ S3_ROOT_DIR: root });
    assert.equal(server.config.S3_ROOT_DIR, place.root);
    await server.close();
  }
  assert.deepEqual(await place.leftovers(), []);
});

test('a server loads the SDK of S3 where its files are there, and not otherwise', async () => {
  const asked: string[] = [];
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      asked.push(specifier);
      return next(specifier, context);
    },
  });
  try {
    for (const storage of ['fs', 's3']) {
      const server = await start({ FILES_STORAGE: storage });
      await server.close();
      assert.equal(
        asked.some((specifier) => specifier.startsWith('@aws-sdk/')),
        storage === 's3',
      );
    }
  } finally {
    hooks.deregister();
  }
});
