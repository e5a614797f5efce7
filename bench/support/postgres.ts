// Starts a private PostgreSQL server with the script of the tests. It stops and deletes its files when its standard
// input closes, at the latest when this process exits.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../../scripts/runtime.ts';

const SCRIPT = join(repositoryRoot, 'api/test/support/postgres-cluster.sh');

export interface Postgres extends AsyncDisposable {
  /** `postgres://berth@localhost/postgres?host=<socket directory>`: a superuser, without a password. */
  url: string;
}

/** Starts a server in a temporary directory, with Debian's settings except for where it listens. */
export async function startPostgres(): Promise<Postgres> {
  const [programs] = globSync('/usr/lib/postgresql/*/bin').sort((left, right) =>
    right.localeCompare(left, 'en', { numeric: true }),
  );
  if (programs === undefined) throw new Error('PostgreSQL is missing: run `apt-get install postgresql`.');
  const directory = await mkdtemp(join(tmpdir(), 'berth-bench-postgres-'));
  // It refuses to run as root. The user of its Debian package may not be able to read this checkout.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (process.getuid?.() === 0) execFileSync('chown', ['postgres:', directory]);
  const server = spawn(
    '/bin/sh',
    ['-c', readFileSync(SCRIPT, 'utf8'), 'postgres-cluster.sh', programs, directory, ''],
    {
      ...user,
      cwd: directory,
      detached: true,
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const exited = once(server, 'exit');
  await Promise.race([
    once(server.stdout, 'data'),
    exited.then(() => {
      throw new Error('PostgreSQL did not start.');
    }),
  ]);
  return {
    url: `postgres://berth@localhost/postgres?host=${encodeURIComponent(directory)}`,
    async [Symbol.asyncDispose]() {
      server.stdin.end();
      await exited;
    },
  };
}

function idOf(option: '-u' | '-g'): number {
  return Number(execFileSync('id', [option, 'postgres']));
}
