import { readFileSync } from 'node:fs';

/** Reads the package.json of this package. */
export function readManifest(): { version: string; engines: { node: string } } {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
    engines: { node: string };
  };
}
