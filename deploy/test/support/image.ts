// Builds the image of the Dockerfile with buildah, which needs neither a daemon nor a registry of images: the base
// image is made here, from Debian's packages and the Node and npm of the tests.

import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { repositoryRoot } from '../../../scripts/runtime.ts';
import { ensureNpm } from '../../../scripts/test-programs.ts';
import { runAsRoot } from './as-root.ts';

const RELEASE = 'bookworm';
const DEBIAN = join(repositoryRoot, `.cache/debian-${RELEASE}.tar`);

export interface ImageConfig {
  User: string;
  /** `NAME=value` */
  Env: string[];
  Entrypoint: string[];
  WorkingDir: string;
  Volumes: Record<string, unknown>;
  ExposedPorts: Record<string, unknown>;
  Labels: Record<string, string>;
  Healthcheck: { Test: string[] };
}

export interface Image {
  /** As container engines read it. */
  config: ImageConfig;
  /** Folder with its files. */
  root: string;
  /** What its layers add to the base image, uncompressed. */
  bytesAboveBase: number;
  remove(): Promise<void>;
}

/** @param base name of the base image in the Dockerfile */
export async function buildImage(base: string, buildArguments: Record<string, string>): Promise<Image> {
  const storage = await mkdtemp(join(tmpdir(), 'berth-images-'));
  const remove = async () => {
    await runAsRoot('rm', '-rf', storage);
  };
  const paths = ['--root', join(storage, 'images'), '--runroot', join(storage, 'run'), '--storage-driver', 'vfs'];
  const buildah = (...parameters: string[]) => runAsRoot('buildah', ...paths, ...parameters);
  /** Makes a container of an image. @returns the folder with its files */
  const unpack = async (image: string) => {
    const container = await buildah('from', '--pull-never', image);
    return { container, root: await buildah('mount', container) };
  };
  try {
    const { container, root: baseRoot } = await unpack('scratch');
    await fillBase(baseRoot, storage);
    await buildah('commit', container, `docker.io/library/${base}`);
    const values = Object.entries(buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    await buildah(
      ...['build', '--pull-never', '--isolation', 'chroot', '--format', 'docker', '--tag', 'berth', ...values],
      repositoryRoot,
    );
    const { root } = await unpack('berth');
    const { Docker } = JSON.parse(await buildah('inspect', '--type', 'image', 'berth')) as {
      Docker: { config: ImageConfig };
    };
    const bytesAboveBase = (await layerBytes(root)) - (await layerBytes(baseRoot));
    return { config: Docker.config, root, bytesAboveBase, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Debian's minimal system, Node, npm, and how npm reaches its registry here. */
async function fillBase(root: string, scratch: string): Promise<void> {
  await ensureDebian();
  await runAsRoot('tar', '--extract', '--preserve-permissions', '--file', DEBIAN, '--directory', root);
  await runAsRoot('install', '-D', process.execPath, join(root, 'usr/local/bin/node'));
  const { npm } = await ensureNpm();
  await runAsRoot('mkdir', '-p', join(root, 'usr/local/lib/node_modules'), join(root, 'usr/local/etc'));
  await runAsRoot('cp', '-a', dirname(dirname(npm)), join(root, 'usr/local/lib/node_modules/npm'));
  await runAsRoot('ln', '-s', '../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
  const files = {
    'npmrc': `registry=${await npmSetting('registry')}\ncafile=/usr/local/etc/authorities.pem\n`,
    'authorities.pem': await trustedAuthorities(),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(scratch, name), content);
    await runAsRoot('install', '-m', '644', join(scratch, name), join(root, 'usr/local/etc', name));
  }
}

/** The certificates that npm accepts here. */
async function trustedAuthorities(): Promise<string> {
  const cafile = await npmSetting('cafile');
  if (cafile !== 'null') return readFile(cafile, 'utf8');
  const { NODE_EXTRA_CA_CERTS: extra } = process.env;
  return [...rootCertificates, extra === undefined ? '' : await readFile(extra, 'utf8')].join('\n');
}

export function npmSetting(name: string): Promise<string> {
  return runAsRoot('npm', 'config', 'get', name);
}

/** Makes the archive of Debian's minimal system once. */
async function ensureDebian(): Promise<void> {
  if (existsSync(DEBIAN)) return;
  const scratch = await mkdtemp(join(tmpdir(), 'berth-debian-'));
  const partial = `${DEBIAN}.${process.pid}`;
  try {
    await runAsRoot('debootstrap', '--variant=minbase', RELEASE, join(scratch, 'root'), ...(await findMirror()));
    const contents = ['--exclude=./var/cache/apt/*', '--exclude=./var/lib/apt/lists/*', '--exclude=./dev/*', '.'];
    await runAsRoot('tar', '--create', '--file', partial, '--directory', join(scratch, 'root'), ...contents);
    await rename(partial, DEBIAN);
  } finally {
    await runAsRoot('rm', '-rf', scratch, partial);
  }
}

/** The mirror that this machine installs the same release from; otherwise Debian's own is used. */
async function findMirror(): Promise<string[]> {
  const filters = ['Created-By: Packages', 'Origin: Debian', `Codename: ${RELEASE}`];
  const lines = (await runAsRoot('apt-get', 'indextargets', '--format', '$(REPO_URI)', ...filters)).split('\n');
  return lines.slice(0, 1).filter((line) => line !== '');
}

/** The size of a layer with these files. */
async function layerBytes(root: string): Promise<number> {
  return Number(await runAsRoot('sh', '-c', 'tar --create --file - --directory "$1" . | wc -c', 'sh', root));
}
