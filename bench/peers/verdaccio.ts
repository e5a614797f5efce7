// Peer: Verdaccio, an npm registry, installed from npm once into .cache/.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { freePort, startServer, type ServerProcess } from '../support/processes.ts';
import { npmTarball } from '../support/tarball.ts';

const VERSION = '6.10.4';
/** The version that Verdaccio depends on prints a warning on current versions of Node. */
const OVERRIDES = { 'node-fetch': '2.7.0' };
const INSTALLED = join(repositoryRoot, '.cache/verdaccio');

const run = promisify(execFile);

/** Starts it without upstream registries, with anonymous publishing and, like Berth, one log line per request. */
export async function startVerdaccio(directory: string): Promise<ServerProcess> {
  await install();
  const port = await freePort();
  await mkdir(directory);
  const config = {
    storage: join(directory, 'storage'),
    auth: { htpasswd: { file: join(directory, 'htpasswd') } },
    packages: { '**': { access: '$all', publish: '$all' } },
    log: { type: 'stdout', format: 'json', level: 'http' },
  };
  await writeFile(join(directory, 'config.yaml'), JSON.stringify(config));
  const parameters = [
    '--no-warnings',
    join(INSTALLED, 'node_modules/verdaccio/bin/verdaccio'),
    '--config',
    join(directory, 'config.yaml'),
    '--listen',
    `127.0.0.1:${port}`,
  ];
  return startServer({ program: process.execPath, parameters, env: { HOME: directory }, port, readyPath: '/-/ping' });
}

/**
 * Publishes releases of a package as `npm publish` does, each with the manifest of the sample plug-in, and returns the
 * path of its packument.
 */
export async function publishPackage(verdaccio: ServerProcess, name: string, releases: number): Promise<string> {
  const manifest = JSON.parse(
    await readFile(join(repositoryRoot, 'node_modules/@data-fair/processing-hello-world/package.json'), 'utf8'),
  ) as object;
  for (let release = 0; release < releases; release++)
    await publishRelease(verdaccio, name, `1.0.${release}`, manifest);
  return pathOf(name);
}

async function publishRelease({ url }: ServerProcess, name: string, version: string, manifest: object): Promise<void> {
  const path = pathOf(name);
  const tarball = npmTarball(name, version, Buffer.from('export {};\n'));
  const file = `${name}-${version}.tgz`;
  const dist = {
    integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}`,
    shasum: createHash('sha1').update(tarball).digest('hex'),
    tarball: `${url}/${name}/-/${file}`,
  };
  const response = await fetch(url + path, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      '_id': name,
      name,
      'dist-tags': { latest: version },
      'versions': { [version]: { ...manifest, _id: `${name}@${version}`, name, version, dist } },
      '_attachments': {
        [file]: { content_type: 'application/octet-stream', data: tarball.toString('base64'), length: tarball.length },
      },
    }),
  });
  if (!response.ok)
    throw new Error(`Verdaccio responded with ${response.status} to a package: ${await response.text()}`);
  await response.body?.cancel();
}

function pathOf(name: string): string {
  return `/${name.replace('/', '%2f')}`;
}

/** Installs into a temporary folder and renames it, so that INSTALLED is always complete. */
async function install(): Promise<void> {
  if (existsSync(INSTALLED)) return;
  console.error(`Installing verdaccio@${VERSION} from npm`);
  const partial = `${INSTALLED}.${process.pid}`;
  try {
    await mkdir(partial, { recursive: true });
    await writeFile(
      join(partial, 'package.json'),
      JSON.stringify({ private: true, dependencies: { verdaccio: VERSION }, overrides: OVERRIDES }),
    );
    await run('npm', [
      'install',
      '--prefix',
      partial,
      '--no-package-lock',
      '--ignore-scripts',
      '--prefer-offline',
      '--loglevel=error',
    ]);
    await rename(partial, INSTALLED);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
