import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NAME, createPlugIn } from './plug-in.ts';
import { startProxy } from './stalling-proxy.ts';
import { PROGRAM, startKeyedRegistry, type KeyedRegistry } from './test-registry.ts';

let registry: KeyedRegistry;
let { url, scratch, berth, show, withKey, json } = {} as KeyedRegistry;
before(async () => {
  registry = await startKeyedRegistry();
  ({ url, scratch, berth, show, withKey, json } = registry);
});
after(() => registry.stop());

describe('berth upload, ls, info and pull', () => {
  before(async () => {
    await json(['publish', createPlugIn(join(scratch, 'plug-in'))]);
  });

  test('upload, list and show a file', async () => {
    const file = join(scratch, 'france.pmtiles');
    writeFileSync(file, Buffer.alloc(3_000_000, 'tiles'));
    const uploaded = await json<Record<string, unknown>>([
      'upload',
      file,
      '--id',
      '@acme/france',
      '--category',
      'tileset',
    ]);
    assert.partialDeepStrictEqual(uploaded, { id: '@acme/france', fileName: 'france.pmtiles', size: 3_000_000 });
    await show('@acme/france');
    const { stdout } = await berth(['ls', 'france'], { env: { BERTH_URL: url } });
    const [header, row, ...rest] = stdout.split('\n');
    assert.match(header ?? '', /^ID +VERSION +CATEGORY +SLOTS +SIZE +UPDATED$/);
    assert.match(row ?? '', /^@acme\/france +- +tileset +file +3\.0 MB +\d{4}-\d\d-\d\d \d\d:\d\d$/);
    assert.deepEqual(rest, ['']);
    const { results, count } = await json<{ results: { _id: string }[]; count: number }>([
      'ls',
      '--category',
      'tileset',
    ]);
    assert.deepEqual([results.map(({ _id }) => _id), count], [['@acme/france'], 1]);
    assert.match(
      (await berth(['info', '@acme/france'], { env: { BERTH_URL: url } })).stdout,
      /^id +@acme\/france\n(.+\n)*digest +sha256:[0-9a-f]{64}\n/,
    );
    assert.equal(
      (await berth(['ls', 'nothing like it'], { env: { BERTH_URL: url } })).stdout,
      'No artefacts found.\n',
    );
  });

  test('resume the upload of a large file after the command was killed', async () => {
    const file = join(scratch, 'europe.pmtiles');
    const size = 96 * 1024 * 1024;
    writeFileSync(file, randomBytes(size));
    const proxy = await startProxy(url);
    try {
      proxy.stallAfterBytes = 60 * 1024 * 1024;
      const first = spawn(process.execPath, [PROGRAM, 'upload', file, '--id', 'europe', '--url', proxy.url], {
        cwd: scratch,
        env: { ...registry.environment, ...withKey() },
        stdio: 'ignore',
      });
      const ended = once(first, 'exit');
      await proxy.stalled;
      first.kill('SIGKILL');
      await ended;
      const firstBytes = proxy.passedBytes;
      assert.ok(firstBytes >= proxy.stallAfterBytes);
      proxy.stallAfterBytes = Infinity;
      const uploaded = await json<{ digest: string; size: number }>([
        'upload',
        file,
        '--id',
        'europe',
        '--url',
        proxy.url,
      ]);
      assert.deepEqual(
        [uploaded.size, uploaded.digest],
        [size, `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`],
      );
      const secondBytes = proxy.passedBytes - firstBytes;
      assert.ok(secondBytes < size - 40 * 1024 * 1024, `${secondBytes} bytes in the second run`);
      assert.deepEqual(JSON.parse(readFileSync(join(scratch, 'home/.cache/berth/uploads.json'), 'utf8')), {});
    } finally {
      proxy.stop();
    }
  });

  test('resume by themselves after a lost connection', async () => {
    const file = join(scratch, 'asia.pmtiles');
    const size = 96 * 1024 * 1024;
    writeFileSync(file, randomBytes(size));
    const proxy = await startProxy(url);
    try {
      proxy.stallAfterBytes = 60 * 1024 * 1024;
      const uploading = json<{ digest: string }>(['upload', file, '--id', 'asia', '--url', proxy.url]);
      await proxy.stalled;
      proxy.stallAfterBytes = Infinity;
      proxy.cut();
      assert.equal(
        (await uploading).digest,
        `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`,
      );
      assert.ok(proxy.passedBytes < size + 40 * 1024 * 1024, `${proxy.passedBytes} bytes in total`);
    } finally {
      proxy.stop();
    }
  });

  test('report a large file that became shorter meanwhile, and an address that is not a registry', async () => {
    const file = join(scratch, 'shrinking.bin');
    writeFileSync(file, randomBytes(96 * 1024 * 1024));
    const proxy = await startProxy(url);
    try {
      proxy.stallAfterBytes = 30 * 1024 * 1024;
      const uploading = berth(['upload', file, '--id', 'shrinking', '--url', proxy.url], { env: withKey() });
      await proxy.stalled;
      truncateSync(file, 65 * 1024 * 1024);
      proxy.stallAfterBytes = Infinity;
      proxy.cut();
      assert.deepEqual(await uploading, {
        status: 1,
        stdout: '',
        stderr: 'berth upload: the file changed during the upload\n',
      });
    } finally {
      proxy.stop();
    }
    const other = createServer((request, response) => {
      request.resume().on('end', () => {
        response.end('hello');
      });
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { status, stderr } = await berth(['upload', file, '--id', 'x', '--url', address], { env: withKey() });
    other.close();
    assert.deepEqual(
      [status, stderr],
      [1, `berth upload: ${address} does not support resumable uploads (status 200): is it a registry?\n`],
    );
  });

  test('report why a large file is refused', async () => {
    const file = join(scratch, 'huge.bin');
    writeFileSync(file, Buffer.alloc(65 * 1024 * 1024));
    const { status, stderr } = await berth(['upload', file, '--id', 'a/../b'], { env: withKey() });
    assert.equal(status, 1);
    assert.match(stderr, /^berth upload: .+\n$/);
    assert.match(
      (await berth(['upload', file, '--id', 'x'], { env: { BERTH_URL: url } })).stderr,
      /^berth upload: This requires a session or a key.+\n$/,
    );
  });

  test('pull what the key may download, unpacked, and only once', async () => {
    const granted = await fetch(`${url}/api/v1/access-grants`, {
      method: 'POST',
      headers: { ...registry.session, 'content-type': 'application/json' },
      body: JSON.stringify({ account: { type: 'organization', id: 'acme' } }),
    });
    assert.equal(granted.status, 201);
    const { status, stderr } = await berth(['pull', '@acme/france'], { env: { BERTH_URL: url } });
    assert.equal(status, 1);
    assert.match(stderr, /^berth pull: .+\n$/);
    const made = await fetch(`${url}/api/v1/api-keys`, {
      method: 'POST',
      headers: { ...registry.session, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'read', name: 'reader', owner: { type: 'organization', id: 'acme' } }),
    });
    const { key: readKey } = (await made.json()) as { key: string };
    const env = { BERTH_URL: url, BERTH_API_KEY: readKey };
    await show(`${NAME}@main`);
    const pull = (id: string) =>
      json<{ path: string; downloaded: boolean }>(['pull', id, '--dir', join(scratch, 'cache')], { env });
    const plugin = await pull(`${NAME}@main`);
    assert.equal((JSON.parse(readFileSync(join(plugin.path, 'package.json'), 'utf8')) as { name: string }).name, NAME);
    assert.deepEqual([plugin.downloaded, (await pull(`${NAME}@main`)).downloaded], [true, false]);
    const tiles = await pull('@acme/france');
    assert.equal(statSync(tiles.path).size, 3_000_000);
    assert.equal(
      (await berth(['pull', '@acme/france', '--dir', join(scratch, 'cache')], { env })).stdout,
      `${tiles.path}\n`,
    );
  });
});
