// What an instance does beside its clients: sweeps in the server, backups by a process of their own.

import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { SECRETS } from './berth-process.ts';
import { endWithThisProcess } from './processes.ts';
import type { Site } from './sites.ts';

const SWEEP = `'storage.sweep'`;
const THEN = `'1970-01-01T00:00:00.000Z'`;

const SWEEP_TIMEOUT_MS = 60_000;
const ASK_EVERY_MS = 50;

/**
 * Lets what a killed process has held expire, and the sweep be due, as if an hour had gone by.
 *
 * @returns how many sweeps were begun before
 */
export async function letTimePass(site: Site): Promise<number> {
  await site.execute(`update leases set expires_at = ${THEN}`);
  await site.execute(`update resumable_uploads set claimed_until = ${THEN} where claimed_until is not null`);
  await site.execute(`update job_runs set due_at = ${THEN} where name = ${SWEEP}`);
  return await countSweeps(site);
}

/** Waits for the sweep after so many others to begin. @throws Error after a minute without */
export async function untilSwept(site: Site, sweepsBefore: number): Promise<void> {
  const deadline = Date.now() + SWEEP_TIMEOUT_MS;
  while ((await countSweeps(site)) <= sweepsBefore) {
    if (Date.now() > deadline) throw new Error(`No sweep was begun in ${SWEEP_TIMEOUT_MS / 1000} s.`);
    await sleep(ASK_EVERY_MS);
  }
}

/** Counts the sweeps that were begun. */
export async function countSweeps(site: Site): Promise<number> {
  const [row] = await site.query<{ token: number | string }>(`select token from job_runs where name = ${SWEEP}`);
  return Number(row?.token ?? 0);
}

/** Backs up into a folder, again and again, until it is killed. */
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

/** Backs up one site and rebuilds it in another, which is empty. */
export async function carryOver(site: Site, directory: string, into: Site): Promise<void> {
  for (const [where, operation] of [
    [site, 'backup'],
    [into, 'restore'],
  ] as const) {
    const { exited } = startOperation(where, `await server.${operation}(process.env, ${JSON.stringify(directory)});`);
    if ((await exited) !== 0) throw new Error(`${operation} failed`);
  }
}

/** Runs what the command line would, in a process of its own. */
function startOperation(site: Site, program: string): { child: ChildProcess; exited: Promise<number | null> } {
  const load =
    'const server = await ' + `import(${JSON.stringify(pathToFileURL(join(repositoryRoot, 'api/index.ts')).href)});`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', load + program], {
    env: { PATH: process.env.PATH, ...environmentOf(site) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return { child, exited: endWithThisProcess(child) };
}

const environmentOf = ({ dataDir, env }: Site) => ({ ...SECRETS, DATA_DIR: dataDir, ...env });
