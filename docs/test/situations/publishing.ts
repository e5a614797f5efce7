// Uploads that are refused, and commands that publish nothing.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buildTarball, npmTarball } from '../../../api/test/support/tarball-builder.ts';
import type { Situations, Stage } from './stage.ts';

const ID = '@acme/import-gpkg@1';
const GIT = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'init.defaultBranch=main'];

interface PlugIn {
  manifest?: Record<string, unknown>;
  tag?: string;
}

/** Writes a plug-in, committed and tagged, into a new folder. */
function writePlugIn(stage: Stage, name: string, { manifest = {}, tag }: PlugIn): string {
  const folder = join(stage.folder, name);
  mkdirSync(folder);
  const json = { name: '@acme/import-gpkg', version: '1.2.3', ...manifest };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(json));
  writeFileSync(join(folder, 'index.js'), 'export const run = () => {};');
  const git = (...words: string[]) => execFileSync('git', [...GIT, ...words], { cwd: folder, stdio: 'ignore' });
  git('init');
  git('add', '.');
  git('commit', '-m', 'first commit');
  if (tag !== undefined) git('tag', tag);
  return folder;
}

/** Publishes a plug-in with a key of the common registry, like a pipeline that runs for its tag. */
async function publish(stage: Stage, name: string, plugIn: PlugIn, ...words: string[]): Promise<string> {
  const registry = await stage.registry();
  const pipeline = { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: plugIn.tag ?? '' };
  const env = { BERTH_URL: registry.url, BERTH_API_KEY: await registry.uploadKey(), ...pipeline };
  return stage.berth(['publish', ...words], { cwd: writePlugIn(stage, name, plugIn), env });
}

/** Uploads a tarball with a key of the given scopes. */
async function upload(stage: Stage, file: Uint8Array, scopes: Record<string, string> = {}): Promise<string> {
  const registry = await stage.registry();
  const headers = { 'x-api-key': await registry.uploadKey(scopes) };
  return stage.answer(await registry.upload(ID, { file, headers }));
}

export const PUBLISHING: Situations = {
  'The key is not known': async (stage) => {
    const registry = await stage.registry();
    const env = { BERTH_URL: registry.url, BERTH_API_KEY: 'reg_0123456789abcdef0123456789abcdef0123456789a' };
    return stage.berth(['publish'], { cwd: writePlugIn(stage, 'unknown-key', { tag: 'v1.2.3' }), env });
  },

  'The key may not publish this': async (stage) =>
    upload(stage, await npmTarball({ name: '@acme/import-gpkg' }), { allowedPackageName: '@acme/other' }),

  'The tag is not the version': (stage) => publish(stage, 'other-version', { tag: 'v1.2.4' }),

  'The tag does not name a version': (stage) => publish(stage, 'other-tag', { tag: 'nightly' }),

  'There is no lock file': (stage) =>
    publish(stage, 'no-lock', { tag: 'v1.2.3', manifest: { dependencies: { ms: '2.1.3' } } }, '--bundle'),

  'Bundled dependencies are missing from the tarball': (stage) =>
    publish(stage, 'not-installed', {
      tag: 'v1.2.3',
      manifest: { dependencies: { 'is-odd': '3.0.1' }, bundleDependencies: ['is-odd'] },
    }),

  'A script of the package fails': (stage) =>
    publish(stage, 'failing-script', {
      tag: 'v1.2.3',
      manifest: { scripts: { prepack: 'echo no such template >&2; exit 3' } },
    }),

  'The registry does not use TLS': async (stage) => {
    const host = `localhost:${new URL((await stage.registry()).url).port}`;
    const output = await stage.berth(['ls'], { env: { BERTH_URL: `https://${host}`, BERTH_API_KEY: 'reg_0' } });
    return output.replaceAll(host, 'registry.example.org');
  },

  'The address is not that of a registry': async (stage) => {
    const server = createServer((_, response) =>
      response.writeHead(404, { 'content-type': 'text/html' }).end('<!doctype html><title>404 Not Found</title>'),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const output = await stage.berth(['ls'], { env: { BERTH_URL: url, BERTH_API_KEY: 'reg_0' } });
      return output.replaceAll(url, 'https://www.example.org');
    } finally {
      server.close();
    }
  },

  'The ID contains a slash': async (stage) => {
    const registry = await stage.registry();
    const headers = { 'x-api-key': await registry.uploadKey() };
    return stage.answer(await registry.api('POST', `/artefacts/npm/${ID}`, { headers }));
  },

  'The package.json is not valid': async (stage) =>
    upload(
      stage,
      await buildTarball([
        { path: 'package/package.json', content: '{\n  "name": "@acme/import-gpkg",\n  "version": "1.2.3",\n}\n' },
      ]),
    ),

  'The file is no tarball': (stage) => upload(stage, Buffer.from('PK\u0003\u0004 a zip file')),

  'An entry of the tarball is unsafe': async (stage) =>
    upload(stage, await npmTarball({ files: { 'docs\\readme.md': 'text' } })),

  'The artefact holds another package': async (stage) => {
    await upload(stage, await npmTarball({ name: '@acme/import-gpkg' }));
    return upload(stage, await npmTarball({ name: '@acme/export-gpkg' }));
  },

  'The upload is too large': async (stage) => {
    const registry = await stage.start({ env: { MAX_UPLOAD_BYTES: '1000' } });
    return stage.answer(await registry.upload('tiles', { format: 'file', file: new Uint8Array(2000) }));
  },
};
