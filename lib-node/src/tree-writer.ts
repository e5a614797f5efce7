// Writes the entries of a tarball below one directory, synchronously: made for a thread that does nothing else, where
// a system call costs less than a promise. Files keep their modes (umask applied, never setuid); nothing is ever
// written through a link.

import { closeSync, linkSync, lstatSync, mkdirSync, openSync, symlinkSync, unlinkSync, writeSync } from 'node:fs';
import { checkLinks, splitPath } from './archive-path.ts';
import { ArchiveError, isErrno } from './errors.ts';
import type { EntryContent, TarEntry } from './tar/index.ts';

const PERMISSIONS = 0o777;
const DEFAULT_MODE = 0o644;

export interface TreeWriter {
  /** Makes one entry; what it returns takes the content of a file. @throws ArchiveError */
  add: (entry: TarEntry) => EntryContent | undefined;
  /**
   * Checks what can only be known at the end.
   * @throws ArchiveError when a link leads outside or nothing was unpacked
   */
  finish: () => void;
}

/** Makes the writer of one archive. The folder that all entries share (`package/` in npm tarballs) is dropped. */
export function createTreeWriter(directory: string): TreeWriter {
  const directories = new Set<string>();
  const files = new Set<string>();
  const links = new Map<string, string>();
  let folder: string | undefined;

  function place(archivePath: string): string {
    const [first, ...parts] = splitPath(archivePath);
    folder ??= first;
    if (first !== folder) throw unsafe(archivePath, 'is outside the folder of the archive');
    return parts.join('/');
  }

  const targetOf = (path: string): string => `${directory}/${path}`;

  /** Makes a directory and its parents; each must be a real one: what is already there may be a link. */
  function makeDirectory(path: string): void {
    if (path === '' || directories.has(path)) return;
    makeDirectory(parentOf(path));
    const target = targetOf(path);
    try {
      mkdirSync(target);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      if (!lstatSync(target).isDirectory()) throw unsafe(path, 'is a directory and something else');
    }
    directories.add(path);
  }

  /** Creates what is no directory; a later entry of the same path takes the place of the earlier one, as in tar. */
  function create<T>(path: string, make: (target: string) => T): T {
    if (path === '' || directories.has(path)) throw unsafe(path, 'is a directory and something else');
    makeDirectory(parentOf(path));
    const target = targetOf(path);
    try {
      return make(target);
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
      unlinkSync(target);
      files.delete(path);
      links.delete(path);
      return make(target);
    }
  }

  function openFile(path: string, mode = DEFAULT_MODE): EntryContent {
    const file = create(path, (target) => openSync(target, 'wx', mode & PERMISSIONS));
    files.add(path);
    return {
      write: (piece) => {
        writeAll(file, piece);
      },
      end: () => {
        closeSync(file);
      },
    };
  }

  function add(entry: TarEntry): EntryContent | undefined {
    const path = place(entry.path);
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
        const source = place(entry.linkpath);
        if (!files.has(source)) throw unsafe(entry.path, 'is a hard link to what is no file of the archive');
        if (source !== path)
          create(path, (link) => {
            linkSync(targetOf(source), link);
          });
        files.add(path);
        return undefined;
      }
      default:
        throw unsafe(entry.path, `is of the type ${entry.type}`);
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
