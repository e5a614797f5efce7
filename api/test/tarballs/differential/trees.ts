// Unpacks tarballs with lib-node, GNU tar and npm's tar, and reads the trees.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { UnpackSync } from 'tar';
import { createTarReader } from '../../../../lib-node/dist/tar/index.js';
import { createTreeWriter } from '../../../../lib-node/dist/tree-writer.js';

/** What is at each path; paths are bytes as Latin-1. */
export type Tree = Map<string, string>;

export interface Unpacked {
  /** What went wrong; undefined if nothing did. */
  failure: string | undefined;
  tree: Tree;
}

const noTree: Tree = new Map();

/** Unpacks as lib-node's worker thread does (unpack-worker.ts), without the thread. */
export async function unpackWithLibNode(bytes: Buffer, directory: string): Promise<Unpacked> {
  mkdirSync(directory);
  const writer = createTreeWriter(directory);
  const reader = createTarReader(writer.add);
  const gunzip = createGunzip();
  gunzip.end(bytes);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) reader.push(chunk);
    reader.end();
    writer.finish();
  } catch (error) {
    return { failure: String(error), tree: noTree };
  }
  return { failure: undefined, tree: readTree(directory) };
}

/** Complaints of GNU tar about numbers that do not change the tree. */
const OWNER_OR_TIME = /where numeric (?:uid_t|gid_t|time_t) value expected/;

export function unpackWithGnuTar(bytes: Buffer, directory: string): Unpacked & { warnings: string } {
  mkdirSync(directory);
  const { status, stderr } = spawnSync('tar', ['xzf', '-', '--no-same-owner', '--no-same-permissions'], {
    cwd: directory,
    input: bytes,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  const failure = status === 0 || OWNER_OR_TIME.test(stderr) ? undefined : stderr;
  return { failure, warnings: stderr, tree: failure === undefined ? readTree(join(directory, 'package')) : noTree };
}

/** As npm does, which leaves links out. */
export function unpackWithNpmTar(bytes: Buffer, directory: string): Unpacked {
  mkdirSync(directory);
  const warnings: string[] = [];
  try {
    const unpack = new UnpackSync({
      cwd: directory,
      strip: 1,
      preserveOwner: false,
      filter: (_path, entry) => !('type' in entry && /Link$/.test(entry.type)),
      onwarn: (code, message) => warnings.push(`${code} ${String(message)}`),
    });
    unpack.end(bytes);
  } catch (error) {
    warnings.push(String(error));
  }
  return { failure: warnings[0], tree: readTree(directory) };
}

/** Whether `gzip -t` finds nothing to say about a file. */
export function isSoundGzip(bytes: Buffer): boolean {
  const { status, stderr } = spawnSync('gzip', ['-t'], { input: bytes });
  return status === 0 && stderr.length === 0;
}

export function readTree(directory: string): Tree {
  const tree: Tree = new Map();
  const visit = (folder: Buffer, prefix: string): void => {
    chmodSync(folder, 0o755);
    for (const name of readdirSync(folder, { encoding: 'buffer' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const key = prefix + name.toString('latin1');
      const stat = lstatSync(path);
      if (stat.isDirectory()) {
        tree.set(key, 'folder');
        visit(path, `${key}/`);
      } else if (stat.isSymbolicLink()) {
        tree.set(key, `link to ${readlinkSync(path, { encoding: 'buffer' }).toString('latin1')}`);
      } else if (stat.isFile()) {
        const mode = stat.mode & 0o777;
        chmodSync(path, 0o600);
        tree.set(key, fileInTree(readFileSync(path), mode));
        chmodSync(path, mode);
      } else {
        tree.set(key, 'something else');
      }
    }
  };
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) visit(Buffer.from(directory), '');
  return tree;
}

export function fileInTree(content: Buffer, mode: number): string {
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 8);
  return `file of ${content.length} bytes, ${digest}, mode ${mode.toString(8)}`;
}
