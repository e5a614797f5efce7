// The repository as a user has just cloned and installed it: everything there but data, in a folder of its own.

import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../runtime.ts';

const NOT_CLONED = new Set(['data', '.git', '.cache']);

export interface Clone {
  directory: string;
  remove(): void;
}

export function makeClone(): Clone {
  const directory = mkdtempSync(join(tmpdir(), 'berth-clone-'));
  for (const name of readdirSync(repositoryRoot)) {
    if (!NOT_CLONED.has(name)) symlinkSync(join(repositoryRoot, name), join(directory, name));
  }
  return {
    directory,
    remove: () => {
      rmSync(directory, { recursive: true });
    },
  };
}
