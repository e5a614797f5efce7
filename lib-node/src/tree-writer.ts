// Writes the entries of a tarball below one directory. Synchronous: in a worker thread, a system call costs less than
// a promise. Files keep their modes (umask applied, never setuid); nothing is written through a link.

import {
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { checkLinks, splitPath } from './archive-path.ts';
import { ArchiveError, isErrno } from './errors.ts';
import type { EntrySink, TarEntry } from './tar/index.ts';

const PERMISSIONS = 0o777;
const DEFAULT_MODE = 0o644;

export interface TreeWriter {
  /** Creates one entry and returns the sink for a file's content. @throws ArchiveError */
  add: (entry: TarEntry) => EntrySink | undefined;
  /**
   * Checks the links, which is only possible with all of them known.
   * @throws ArchiveError if a link leads outside or the archive is empty
   */
  finish: () => void;
}

/** Root of archives of the content of a folder: `tar -C style .` names its entries `./style.json`. */
const ROOT = '.';

/**
 * Makes the writer of one archive. Drops the folder that all entries share: `package/` in npm tarballs, which some
 * programs name `./package/`, or ROOT.
 */
export function createTreeWriter(directory: string): TreeWriter {
  const directories = new Set<string>();
  const files = new Set<string>();
  const links = new Map<string, string>();
  let folder: string | undefined;

  function relativePath(archivePath: string): string {
    const [first, ...parts] = splitPath(archivePath);
    // The root of the archive itself, `./`.
    if (first === undefined) return '';
    const isBelowRoot = archivePath.startsWith('./') && (folder === ROOT || first !== 'package');
    const top = isBelowRoot ? ROOT : first;
    folder ??= top;
    if (top !== folder) throw unsafe(archivePath, 'is outside the top folder of the archive');
    return (isBelowRoot ? [first, ...parts] : parts).join('/');
  }

  const targetOf = (path: string): string => `${directory}/${path}`;

  /** Whether the disk has exactly this name. One that ignores case also finds it by others. */
  function isOnDisk(path: string): boolean {
    return path
      .split('/')
      .every((name, index, parts) => readdirSync(targetOf(parts.slice(0, index).join('/'))).includes(name));
  }

  /** Creates a directory and its parents. Existing ones must be real directories, not links. */
  function makeDirectory(path: string): void {
    if (path === '' || directories.has(path)) return;
    makeDirectory(parentOf(path));
    const target = targetOf(path);
    try {
      mkdirSync(target);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      if (!lstatSync(target).isDirectory()) throw unsafe(path, 'is both a directory and something else');
    }
    directories.add(path);
  }

  /** Creates a file or link. A later entry of the same path replaces the earlier one, as in tar. */
  function create<T>(path: string, make: (target: string) => T): T {
    if (path === '' || directories.has(path)) throw unsafe(path, 'is both a directory and something else');
    makeDirectory(parentOf(path));
    const target = targetOf(path);
    try {
      return make(target);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      if (!files.has(path) && !links.has(path) && !isOnDisk(path))
        throw unsafe(
          path,
          'has the name of another one on this disk, which ignores case or accents: use another disk',
        );
      unlinkSync(target);
      files.delete(path);
      links.delete(path);
      return make(target);
    }
  }

  function openFile(path: string, mode = DEFAULT_MODE): EntrySink {
    const file = create(path, (target) => openSync(target, 'wx', mode & PERMISSIONS));
    files.add(path);
    return {
      write: (chunk) => {
        writeAll(file, chunk);
      },
      end: () => {
        closeSync(file);
      },
    };
  }

  function add(entry: TarEntry): EntrySink | undefined {
    const path = relativePath(entry.path);
    switch (entry.type) {
      case 'Directory':
      case 'GNUDumpDir':
        makeDirectory(path);
        return undefined;
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
        if (!entry.path.endsWith('/')) return openFile(path, entry.mode);
        makeDirectory(path);
        return undefined;
      case 'SymbolicLink':
        create(path, (link) => {
          symlinkSync(entry.linkpath, link);
        });
        links.set(path, entry.linkpath);
        return undefined;
      case 'Link': {
        const source = relativePath(entry.linkpath);
        if (!files.has(source)) throw unsafe(entry.path, 'is a hard link whose target is not a file of the archive');
        if (source !== path)
          create(path, (link) => {
            linkSync(targetOf(source), link);
          });
        files.add(path);
        return undefined;
      }
      default:
        throw unsafe(entry.path, `has the unsupported type ${entry.type}`);
    }
  }

  return {
    add,
    finish: () => {
      if (folder === undefined) throw new ArchiveError('archive_damaged', 'the archive is empty');
      checkLinks(links);
    },
  };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function writeAll(file: number, chunk: Buffer): void {
  for (let written = 0; written < chunk.length;) written += writeSync(file, chunk, written);
}

function unsafe(path: string, reason: string): ArchiveError {
  return new ArchiveError('archive_unsafe', `the archive's entry ${JSON.stringify(path)} ${reason}`);
}
