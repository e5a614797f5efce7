// Saves the URLs of unfinished uploads in a file, so that a command that is run again resumes them.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export interface UploadUrls {
  get(key: string): string | undefined;
  /** Saves a URL; undefined removes it. */
  set(key: string, url: string | undefined): void;
}

/** The oldest are dropped beyond this; a registry expires unfinished uploads after a day. */
const MAX_URLS = 100;

/** Opens the saved URLs. A file that cannot be read counts as empty: its uploads start over. */
export function openUploadUrls(env: NodeJS.ProcessEnv = process.env): UploadUrls {
  const path = join(env['XDG_CACHE_HOME'] || join(env['HOME'] || homedir(), '.cache'), 'berth', 'uploads.json');
  const read = (): Record<string, string> => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>;
    } catch {
      return {};
    }
  };
  return {
    get: (key) => read()[key],
    set(key, url) {
      const others = Object.entries(read())
        .filter(([other]) => other !== key)
        .slice(1 - MAX_URLS);
      const urls = Object.fromEntries(url === undefined ? others : [...others, [key, url]]);
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, JSON.stringify(urls), { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}
