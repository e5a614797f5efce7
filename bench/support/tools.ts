// Programs that come with Debian: peers and clients that are better than what could be written here.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where servers are, which is on the PATH of root alone. */
const SERVER_PROGRAMS = '/usr/sbin';

/** Finds a program. @throws Error that says which Debian package has it */
export function requireTool(name: string, debianPackage = name): string {
  const directories = [...(process.env.PATH ?? '').split(delimiter), SERVER_PROGRAMS];
  const path = directories.map((directory) => join(directory, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${name} is missing: \`apt-get install ${debianPackage}\` brings it.`);
  return path;
}
