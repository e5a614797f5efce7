import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { repositoryRoot } from '../runtime.ts';
import { ensureNode, ensureNpm, ensurePnpm, ensureYarn } from '../test-programs.ts';
import { createIsolatedMachine, type IsolatedMachine, type Outcome } from './support/isolated-machine.ts';
import { HELLO, startServingBerth, type ServingBerth } from './support/serving-berth.ts';

const CONSUMER = `import { pathToFileURL } from 'node:url';
import { ensureArtefact } from '@berth-registry/lib-node';
const { REGISTRY_URL: registryUrl, SECRET_REGISTRY: secretKey } = process.env;
const options = { registryUrl, secretKey, artefactId: '${HELLO}', cacheDir: 'plugins' };
const { path, version } = await ensureArtefact(options);
const { run } = await import(pathToFileURL(path + '/index.js').href);
console.log(version, run());
`;
const CONSUMED: Outcome = { status: 0, stdout: '1.0.0 hello\n', stderr: '' };
const TYPED = `import { ensureArtefact, type Artefact } from '@berth-registry/lib-node';
export const path: string = (await ensureArtefact({ registryUrl: '', artefactId: '', cacheDir: '' })).path;
export const format: Artefact['format'] = 'npm';
// @ts-expect-error an ID is not a number
await ensureArtefact({ registryUrl: '', artefactId: 1, cacheDir: '' });
`;

interface Manager {
  /** Command line up to the package to install. */
  install: string[];
  /** Runs Node in a project with installed packages. */
  node: string[];
  /** Whether the package name must precede its URL. */
  needsName?: boolean;
}

const NPM: Manager = { install: ['npm', 'install', '--allow-remote=root'], node: ['node'] };
const MANAGERS: Record<string, () => Promise<Manager>> = {
  'the npm of this machine': async () => NPM,
  'the newest npm': async () => ({ ...NPM, install: ['node', (await ensureNpm()).npm, ...NPM.install.slice(1)] }),
  'pnpm': async () => ({ install: [await ensurePnpm(), 'add'], node: ['node'] }),
  'Yarn': async () => {
    const yarn = ['node', await ensureYarn()];
    return { install: [...yarn, 'add'], node: [...yarn, 'node'], needsName: true };
  },
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

for (const [name, manager] of Object.entries(MANAGERS)) {
  test(`${name} installs a working library from the registry without another registry`, async () => {
    const { install, node, needsName = false } = await manager();
    const cwd = await makeProject(machine);
    const address = `${needsName ? '@berth-registry/lib-node@' : ''}${berth.addressOf('lib-node')}`;
    const { status, stdout, stderr } = await machine.run([...install, address], { cwd });
    assert.equal(status, 0, stdout + stderr);
    assert.deepEqual(await consume(machine, node, cwd), CONSUMED);
    // Check that no other registry is reachable.
    const other = await machine.run([...install, 'tar@7.5.23'], { cwd });
    assert.notEqual(other.status, 0, other.stdout);
  });
}

test('the newest npm installs it from a lock file if the project allows it', async () => {
  const { npm } = await ensureNpm();
  const cwd = await makeProject(machine);
  await writeFile(join(cwd, '.npmrc'), 'allow-remote=root\n');
  for (const words of [['install', berth.addressOf('lib-node')], ['ci']]) {
    const { status, stderr } = await machine.run(['node', npm, ...words], { cwd });
    assert.equal(status, 0, stderr);
    assert.deepEqual(await consume(machine, ['node'], cwd), CONSUMED);
  }
});

test('the library runs on Node 20', async () => {
  const older = await createIsolatedMachine(await ensureNode('20.20.2'));
  try {
    const cwd = await makeProject(older);
    assert.match((await older.run(['node', '--version'], { cwd })).stdout, /^v20\./);
    const { status, stderr } = await older.run([...NPM.install, berth.addressOf('lib-node')], { cwd });
    assert.equal(status, 0, stderr);
    assert.deepEqual(await consume(older, NPM.node, cwd), CONSUMED);
  } finally {
    await older.remove();
  }
});

test('the library includes its types', async () => {
  const cwd = await makeProject(machine);
  await machine.run([...NPM.install, berth.addressOf('lib-node')], { cwd });
  await writeFile(join(cwd, 'typed.mts'), TYPED);
  const modules = join(repositoryRoot, 'node_modules');
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
  const compile = ['node', join(modules, '.bin/tsc'), ...options, '--typeRoots', join(modules, '@types'), 'typed.mts'];
  assert.deepEqual(await machine.run(compile, { cwd }), { status: 0, stdout: '', stderr: '' });
});

async function makeProject(on: IsolatedMachine): Promise<string> {
  const cwd = await on.makeFolder();
  await writeFile(join(cwd, 'package.json'), '{"private":true,"type":"module"}');
  await writeFile(join(cwd, 'consume.js'), CONSUMER);
  return cwd;
}

function consume(on: IsolatedMachine, node: string[], cwd: string): Promise<Outcome> {
  const env = { REGISTRY_URL: berth.address, SECRET_REGISTRY: berth.internal['x-secret-key'] ?? '' };
  return on.run([...node, 'consume.js'], { cwd, env });
}
