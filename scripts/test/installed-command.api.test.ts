import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { cp, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clientRoutes, createClients } from '../../api/src/clients/index.ts';
import { createHttpServer } from '../../api/src/http/index.ts';
import { CLIENTS_DIRECTORY } from '../build-clients.ts';
import { ensureNpm } from '../test-programs.ts';
import { createIsolatedMachine, type IsolatedMachine } from './support/isolated-machine.ts';
import { HELLO, startServingBerth, type ServingBerth } from './support/serving-berth.ts';

const SERVER_COMMANDS = [
  'serve',
  'backup DIR',
  'restore DIR',
  'scrub',
  'gc',
  'migrate',
  'remotes export FILE **',
  'remotes import FILE',
];
/** Size from which the command uploads by tus. */
const RESUMABLE_BYTES = 64 * 1024 * 1024;
const NPX: Record<string, () => Promise<string>> = {
  'the npm of this machine': async () => 'npx',
  'the newest npm': async () => `node ${(await ensureNpm()).npx}`,
};

let berth: ServingBerth;
let machine: IsolatedMachine;
before(async () => {
  [berth, machine] = await Promise.all([startServingBerth(), createIsolatedMachine()]);
});
after(async () => {
  await berth.close();
  await machine.remove();
});

for (const [name, npx] of Object.entries(NPX)) {
  test(`${name} runs the command from the registry without another registry`, async () => {
    const cwd = await machine.makeFolder();
    const command = `${await npx()} --yes --allow-remote=root --package=${berth.addressOf('cli')} berth`;
    const env = { BERTH_URL: berth.address, BERTH_API_KEY: await berth.uploadKey() };
    const listed = await machine.type(`${command} ls`, { cwd, env });
    assert.equal(listed.status, 0, listed.stderr);
    assert.ok(listed.stdout.includes(HELLO), listed.stdout);

    await writeFile(join(cwd, 'package.json'), JSON.stringify({ name: '@acme/published', version: '2.0.0' }));
    const id = name.replaceAll(' ', '-');
    const published = await machine.type(`${command} publish --bundle --id ${id} --json`, { cwd, env });
    assert.equal(published.status, 0, published.stderr);
    assert.equal((JSON.parse(published.stdout) as { id: string }).id, id);
    assert.equal((await berth.api('GET', `/artefacts/${id}`, { headers: berth.internal })).status, 200);
  });
}

test('the installed command uploads a large file', async () => {
  const cwd = await machine.makeFolder();
  const installed = await machine.type(`npm install --allow-remote=root ${berth.addressOf('cli')}`, { cwd });
  assert.equal(installed.status, 0, installed.stderr);
  const bytes = randomBytes(RESUMABLE_BYTES);
  await writeFile(join(cwd, 'large.bin'), bytes);
  const env = { BERTH_URL: berth.address, BERTH_API_KEY: await berth.uploadKey() };
  const upload = ['node_modules/.bin/berth', 'upload', 'large.bin', '--id', 'large', '--json', '--quiet'];
  const { status, stdout, stderr } = await machine.run(upload, { cwd, env });
  assert.deepEqual([status, stderr], [0, '']);
  const { digest } = JSON.parse(stdout) as { digest: string };
  assert.equal(digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
});

test("commands on the server's data refuse to run from an installed client", async () => {
  const cwd = await machine.makeFolder();
  const installed = await machine.type(`npm install --allow-remote=root ${berth.addressOf('cli')}`, { cwd });
  assert.equal(installed.status, 0, installed.stderr);
  const program = 'node_modules/.bin/berth';
  const reason = 'this command requires the server, which the client that a registry serves does not include';
  for (const line of SERVER_COMMANDS) {
    const [name = '', ...parameters] = line.split(' ');
    const outcome = await machine.run([program, name, ...parameters], { cwd });
    assert.deepEqual(outcome, { status: 1, stdout: '', stderr: `berth ${name}: ${reason}\n` }, line);
  }
  const { stdout } = await machine.run([program, '--version'], { cwd });
  assert.equal(stdout, `${berth.version}\n`);
});

test('npm installs the current version despite its cache', async () => {
  const directory = await machine.makeFolder();
  const app = createHttpServer({ basePath: '', trustedProxies: [], logLevel: 'silent' });
  await app.register(clientRoutes(createClients({ directory, publicUrl: 'http://127.0.0.1' })));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  try {
    // The other tarball serves as the newer version: the installed package name tells them apart.
    for (const [version, name] of [
      ['1.0.0', 'cli'],
      ['1.0.1', 'lib-node'],
    ] as const) {
      await cp(join(CLIENTS_DIRECTORY, `${name}.tgz`), join(directory, 'cli.tgz'));
      await writeFile(join(directory, 'clients.json'), JSON.stringify([{ name: 'cli', packageName: '', version }]));
      const cwd = await machine.makeFolder();
      const install = `npm install --allow-remote=root --prefix . ${url}/clients/cli.tgz`;
      const { status, stderr } = await machine.type(install, { cwd });
      assert.equal(status, 0, stderr);
      assert.deepEqual(await readdir(join(cwd, 'node_modules/@berth-registry')), [name]);
    }
  } finally {
    await app.close();
  }
});
