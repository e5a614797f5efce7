// A copy of the repository as after cloning and `npm ci`: a folder with links to everything but data and caches.

import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../runtime.ts';

const EXCLUDED = new Set(['data', '.git', '.cache']);

export interface Clone {
  directory: string;
  remove(): void;
}

export function makeClone(): Clone {
  const directory = mkdtempSync(join(tmpdir(), 'berth-clone-'));
  for (const name of readdirSync(repositoryRoot)) {
    if (!EXCLUDED.has(name)) symlinkSync(join(repositoryRoot, name), join(directory, name));
  }
  return {
    directory,
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}
