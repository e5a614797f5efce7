// Starts a private S3 server, OpenStack Swift, with the script of the tests. It flushes what it acknowledges to disk,
// and stops and deletes its files when its standard input closes, at the latest when this process exits.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { freePort } from './processes.ts';

const SCRIPT = join(repositoryRoot, 'api/test/support/swift-cluster.py');
const CREDENTIALS = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };
const BUCKET = 'bench';

export interface Swift extends AsyncDisposable {
  s3: S3;
  bucket: string;
  /** Settings of a server that stores its files there. */
  env: Record<string, string>;
  /** Deletes all objects. */
  empty(): Promise<void>;
}

/** Starts a server in a temporary directory, with one empty bucket. */
export async function startSwift(): Promise<Swift> {
  for (const [path, debianPackage] of [
    ['/usr/lib/python3/dist-packages/swift', 'python3-swift'],
    ['/usr/bin/memcached', 'memcached'],
  ] as const) {
    if (!existsSync(path)) throw new Error(`OpenStack Swift is missing: run \`apt-get install ${debianPackage}\`.`);
  }
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-swift-'));
  const ports = [];
  while (ports.length < 5) ports.push(String(await freePort()));
  const server = spawn('/usr/bin/python3', [SCRIPT, directory, 'durable', ...ports], {
    detached: true,
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(server, 'exit');
  await Promise.race([
    once(server.stdout, 'data'),
    exited.then(() => {
      throw new Error('OpenStack Swift did not start.');
    }),
  ]);

  const endpoint = `http://127.0.0.1:${ports[0]}`;
  const s3 = new S3({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: CREDENTIALS,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await s3.createBucket({ Bucket: BUCKET });
  return {
    s3,
    bucket: BUCKET,
    env: {
      FILES_STORAGE: 's3',
      S3_ENDPOINT: endpoint,
      S3_BUCKET: BUCKET,
      S3_FORCE_PATH_STYLE: 'true',
      S3_ROOT_DIR: 'berth',
      S3_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      S3_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    async empty() {
      const { Contents = [] } = await s3.listObjectsV2({ Bucket: BUCKET });
      for (const { Key } of Contents) await s3.deleteObject({ Bucket: BUCKET, Key });
    },
    async [Symbol.asyncDispose]() {
      s3.destroy();
      server.stdin.end();
      await exited;
    },
  };
}
