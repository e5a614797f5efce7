// The demo's superadmin. The password is generated at the first run and stored with the data, so that later runs can
// sign in.

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Superadmin {
  email: string;
  password: string;
}

const PASSWORD_BYTES = 12;

/** Reads `superadmin.json` in the data directory; creates it if it is missing. */
export async function ensureSuperadmin(dataDir: string): Promise<Superadmin> {
  const file = join(dataDir, 'superadmin.json');
  if (existsSync(file)) return JSON.parse(await readFile(file, 'utf8')) as Superadmin;
  const superadmin = { email: 'admin@localhost', password: randomBytes(PASSWORD_BYTES).toString('base64url') };
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await writeFile(file, JSON.stringify(superadmin), { mode: 0o600 });
  return superadmin;
}
