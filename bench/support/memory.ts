// Resident memory of a process, from Linux's own accounting (proc_pid_status(5)).

import { readFile, writeFile } from 'node:fs/promises';

export const MIB = 1024 * 1024;

/** Reads the resident memory of a process now, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  return field(pid, 'VmRSS');
}

/** Reads the highest resident memory since the start or the last resetPeak, in bytes. */
export async function peakResidentBytes(pid: number): Promise<number> {
  return field(pid, 'VmHWM');
}

/** Lets the peak count from now. */
export async function resetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

async function field(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`no ${name} of process ${pid}`);
  return Number(kib) * 1024;
}
