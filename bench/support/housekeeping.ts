// What an instance does beside its clients: sweeps in the server, backups by a process of their own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { backup, restore } from '../../api/index.ts';
import { SECRETS } from './berth-process.ts';
import type { Site } from './sites.ts';

const SWEEP = `'storage.sweep'`;
const THEN = `'1970-01-01T00:00:00.000Z'`;

/** Lets what a killed process has held expire, and the sweep be due, as if an hour had gone by. */
export async function letTimePass(site: Site): Promise<void> {
  await site.query(`update leases set expires_at = ${THEN}`);
  await site.query(`update job_runs set due_at = ${THEN} where name = ${SWEEP}`);
}

/** Counts the sweeps that were begun. */
export async function countSweeps(site: Site): Promise<number> {
  const [row] = await site.query<{ token: number | string }>(`select token from job_runs where name = ${SWEEP}`);
  return Number(row?.token ?? 0);
}

/** Backs up into a folder until it is told to stop, which happens by SIGKILL. */
export function startBackups(site: Site, directory: string): { kill(): Promise<void> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'backup-child.ts'), directory], { env: { PATH: process.env.PATH, ...environmentOf(site) }, stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = once(child, 'exit');
  return {
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Backs up one site and rebuilds it in another, which is empty. */
export async function carryOver(site: Site, directory: string, into: Site): Promise<void> {
  await backup(environmentOf(site), directory);
  await restore(environmentOf(into), directory);
}

const environmentOf = ({ dataDir, env }: Site) => ({ ...SECRETS, DATA_DIR: dataDir, ...env });
