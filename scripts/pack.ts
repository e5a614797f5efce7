// `npm run packages`: packs all packages as tarballs in data/packages. The clients are those that the registry serves.
// The server is compiled to JavaScript, in the same folders, since Node does not strip types below node_modules.

import { execFileSync } from 'node:child_process';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildClients, CLIENTS_DIRECTORY } from './build-clients.ts';
import { buildUi } from './build-ui.ts';
import { repositoryRoot } from './runtime.ts';

if (import.meta.main) for (const path of await packAll(join(repositoryRoot, 'data/packages'))) console.log(path);

/** Packs the library, the command line and the server, and returns the paths of the tarballs. */
export async function packAll(destination: string): Promise<string[]> {
  await mkdir(destination, { recursive: true });
  await buildClients({ ifChanged: true });
  const clients = ['lib-node.tgz', 'cli.tgz'];
  for (const name of clients) await cp(join(CLIENTS_DIRECTORY, name), join(destination, name));
  const server = await buildServer();
  const packed = run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', destination, `./${server}`);
  return [...clients, packed.trim()].map((name) => join(destination, name));
}

/** Compiles the server into a package and returns its folder. */
async function buildServer(): Promise<string> {
  const folder = 'api/dist';
  const target = join(repositoryRoot, folder);
  await rm(target, { recursive: true, force: true });
  run('tsc', '-p', 'api/tsconfig.build.json');
  await buildUi({ ifChanged: true });
  await cp(join(repositoryRoot, 'ui/dist'), join(target, 'ui/dist'), { recursive: true });
  await cp(CLIENTS_DIRECTORY, join(target, 'clients/dist'), { recursive: true });
  const manifest = JSON.parse(await readFile(join(repositoryRoot, 'api/package.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  // JSON omits undefined fields.
  const files = ['api', 'ui', 'clients', 'lib-node'];
  const changes = { private: undefined, devDependencies: undefined, exports: { '.': './api/index.js' }, files };
  const packed = JSON.stringify({ ...manifest, ...changes }, null, 2);
  // The code reads its version from the second one.
  for (const path of ['package.json', 'api/package.json']) await writeFile(join(target, path), packed);
  return folder;
}

function run(program: string, ...parameters: string[]): string {
  return execFileSync(program, parameters, {
    cwd: repositoryRoot,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}
