// Controls background work of an instance: sweeps in the server, backups and restores in processes of their own.

import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { SECRETS } from './berth-process.ts';
import { killWithThisProcess } from './processes.ts';
import type { Site } from './sites.ts';

const SWEEP = `'storage.sweep'`;
const PAST = `'1970-01-01T00:00:00.000Z'`;

const SWEEP_TIMEOUT_MS = 60_000;
const POLL_MS = 50;

/**
 * Expires the leases and claims of a killed process and makes the sweep due, as if an hour had passed.
 *
 * @returns number of sweeps started so far
 */
export async function expireLeases(site: Site): Promise<number> {
  await site.execute(`update leases set expires_at = ${PAST}`);
  await site.execute(`update resumable_uploads set claimed_until = ${PAST} where claimed_until is not null`);
  await site.execute(`update job_runs set due_at = ${PAST} where name = ${SWEEP}`);
  return await countSweeps(site);
}

/** Waits until another sweep has started. @throws Error after a minute */
export async function waitForSweep(site: Site, sweepsBefore: number): Promise<void> {
  const deadline = Date.now() + SWEEP_TIMEOUT_MS;
  while ((await countSweeps(site)) <= sweepsBefore) {
    if (Date.now() > deadline) throw new Error(`No sweep was started within ${SWEEP_TIMEOUT_MS / 1000} s.`);
    await sleep(POLL_MS);
  }
}

/** Counts the sweeps started so far: each gets a new fencing token. */
export async function countSweeps(site: Site): Promise<number> {
  const [row] = await site.query<{ token: number | string }>(`select token from job_runs where name = ${SWEEP}`);
  return Number(row?.token ?? 0);
}

/** Makes backups into a folder repeatedly, until it is killed. */
export function startBackups(site: Site, directory: string): { kill(): Promise<void> } {
  const { child, exited } = startOperation(
    site,
    `for (;;) await server.backup(process.env, ${JSON.stringify(directory)});`,
  );
  return {
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Backs up one site and restores it into another, empty one. */
export async function backUpAndRestore(site: Site, directory: string, into: Site): Promise<void> {
  for (const [where, operation] of [
    [site, 'backup'],
    [into, 'restore'],
  ] as const) {
    const { exited } = startOperation(where, `await server.${operation}(process.env, ${JSON.stringify(directory)});`);
    if ((await exited) !== 0) throw new Error(`${operation} failed`);
  }
}

/** Runs an operation of the command line in its own process. */
function startOperation(site: Site, program: string): { child: ChildProcess; exited: Promise<number | null> } {
  const load =
    'const server = await ' + `import(${JSON.stringify(pathToFileURL(join(repositoryRoot, 'api/index.ts')).href)});`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', load + program], {
    env: { PATH: process.env.PATH, ...environmentOf(site) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { child, exited: killWithThisProcess(child) };
}

const environmentOf = ({ dataDir, env }: Site) => ({ ...SECRETS, DATA_DIR: dataDir, ...env });
