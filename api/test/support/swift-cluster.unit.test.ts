import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { startSwiftCluster } from './swift-cluster.ts';
import { createTestS3, TEST_BUCKET } from './s3.ts';

const run = promisify(execFile);

test('two root folders are independent, and a removed one is empty', async () => {
  const [one, other] = await Promise.all([createTestS3(), createTestS3()]);
  for (const { root, s3 } of [one, other]) {
    await s3.putObject({ Bucket: TEST_BUCKET, Key: `${root}/ship`, Body: 'x' });
    await s3.createMultipartUpload({ Bucket: TEST_BUCKET, Key: `${root}/boat` });
  }
  await one.remove();
  assert.deepEqual(await one.leftovers(), []);
  assert.deepEqual(await other.leftovers(), [`${other.root}/ship`, `upload of ${other.root}/boat`]);
  await other.remove();
});

test('the server refuses a wrong secret', async () => {
  const { env } = await createTestS3();
  const forged = new URL(
    `${env['S3_ENDPOINT']}/${TEST_BUCKET}/ship?X-Amz-Signature=forged&AWSAccessKeyId=test:tester`,
  );
  assert.equal((await fetch(forged)).status, 403);
});

test('a server stops and removes its files on request, or when the process that started it is killed', async () => {
  const cluster = await startSwiftCluster();
  assert.equal((await fetch(`${new URL(cluster.url).origin}/healthcheck`)).status, 200);
  await cluster.stop();
  assert.equal(existsSync(cluster.directory), false);
  await assert.rejects(fetch(`${new URL(cluster.url).origin}/healthcheck`));

  const program = `
    const { startSwiftCluster } = await import(${JSON.stringify(import.meta.resolve('./swift-cluster.ts'))});
    console.log((await startSwiftCluster()).directory);
    process.kill(process.pid, 'SIGKILL');`;
  const killed = await run(process.execPath, ['--input-type=module', '--eval', program]).catch(
    (error: unknown) => error,
  );
  assert.ok(killed instanceof Error && 'stdout' in killed && 'signal' in killed);
  assert.equal(killed.signal, 'SIGKILL');
  const directory = String(killed.stdout).trim();
  assert.match(directory, /berth-swift-/);
  while (existsSync(directory)) await new Promise((resolve) => setTimeout(resolve, 20));
});
