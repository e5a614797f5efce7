// The demo's superadmin: the password is made at the first run and kept beside the data, so that a second run can sign
// in.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Superadmin {
  email: string;
  password: string;
}

const PASSWORD_BYTES = 12;

/** Reads `superadmin.json` in the data directory, or makes it there. */
export async function keepSuperadmin(dataDir: string): Promise<Superadmin> {
  const file = join(dataDir, 'superadmin.json');
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Superadmin;
  const superadmin = { email: 'admin@localhost', password: randomBytes(PASSWORD_BYTES).toString('base64url') };
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(file, JSON.stringify(superadmin), { mode: 0o600 });
  return superadmin;
}
