// The URLs of uploads that were begun, in a file, so that a command that is run again goes on.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export interface KeptUploads {
  find(key: string): string | undefined;
  /** Undefined forgets it. */
  put(key: string, url: string | undefined): void;
}

/** The newest last; a registry forgets them after a day. */
const MAX_KEPT = 100;

/** A file that cannot be read is no loss: what it held begins anew. */
export function keptUploads(env: NodeJS.ProcessEnv = process.env): KeptUploads {
  const path = join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'berth', 'uploads.json');
  const read = (): Record<string, string> => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
    } catch {
      return {};
    }
  };
  return {
    find: (key) => read()[key],
    put(key, url) {
      const others = Object.entries(read())
        .filter(([other]) => other !== key)
        .slice(1 - MAX_KEPT);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(
        `${path}.new`,
        JSON.stringify(Object.fromEntries([...others, ...(url === undefined ? [] : [[key, url]])])),
        { mode: 0o600 },
      );
      renameSync(`${path}.new`, path);
    },
  };
}
