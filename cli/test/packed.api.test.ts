import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { packAll } from '../../scripts/pack.ts';

const run = promisify(execFile);

const SECRET = 'secret of the services';
/** Large enough to be scanned in a worker thread. */
const LARGE_BYTES = 1024 * 1024;

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'berth-packed-'));
  const tarballs = await packAll(join(folder, 'packages'));
  await writeFile(join(folder, 'package.json'), '{"private":true}');
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=dev', ...tarballs], {
    cwd: folder,
  });
});
after(() => rm(folder, { recursive: true }));

test('the packages, installed into an empty folder, serve the registry and its clients, and back up', async () => {
  const env = {
    PATH: process.env['PATH'],
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: join(folder, 'data'),
    SECRET_INTERNAL_SERVICES: SECRET,
  };
  const program = join(folder, 'node_modules/.bin/berth');
  const server = spawn(program, ['serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(server, 'exit');
  let url: string | undefined;
  for await (const line of createInterface(server.stdout)) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (url !== undefined) break;
  }
  server.stdout.resume();
  assert.equal(await (await fetch(`${url}/api/ping`)).text(), 'ok');
  assert.match(await (await fetch(`${url}/`)).text(), /<html/);
  for (const name of ['cli', 'lib-node']) assert.equal((await fetch(`${url}/clients/${name}.tgz`)).status, 200, name);
  const form = new FormData();
  form.set('file', new Blob(['x']), 'x');
  assert.equal((await fetch(`${url}/api/v1/artefacts/file/x`, { method: 'POST', body: form })).status, 401);
  await mkdir(join(folder, 'package'));
  await writeFile(join(folder, 'package/package.json'), JSON.stringify({ name: 'plugin', version: '1.0.0' }));
  await writeFile(join(folder, 'package/data.bin'), randomBytes(LARGE_BYTES));
  await run('tar', ['-czf', 'plugin.tgz', 'package'], { cwd: folder });
  const tarball = await readFile(join(folder, 'plugin.tgz'));
  const upload = new FormData();
  upload.set('file', new Blob([new Uint8Array(tarball)]), 'plugin.tgz');
  assert.equal(
    (
      await fetch(`${url}/api/v1/artefacts/npm/plugin`, {
        method: 'POST',
        headers: { 'x-secret-key': SECRET },
        body: upload,
      })
    ).status,
    201,
  );
  const { stdout } = await run(program, ['backup', join(folder, 'backup')], { cwd: folder, env });
  assert.match(stdout, /^Backed up 1 artefact /);
  server.kill();
  assert.deepEqual(await exited, [0, null]);
});
