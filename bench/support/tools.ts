// Finds external programs from Debian packages: peers and load clients.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Directory of servers, which is only on the PATH of root. */
const SERVER_PROGRAMS = '/usr/sbin';

/** Finds a program. @throws Error that names the Debian package to install */
export function requireTool(name: string, debianPackage = name): string {
  const directories = [...(process.env.PATH ?? '').split(delimiter), SERVER_PROGRAMS];
  const path = directories.map((directory) => join(directory, name)).find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`${name} is missing: run \`apt-get install ${debianPackage}\`.`);
  return path;
}
