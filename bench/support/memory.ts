// Reads the resident memory of a process from Linux (proc_pid_status(5)).

import { readFile, writeFile } from 'node:fs/promises';

export const MIB = 1024 * 1024;

/** Returns the present resident memory of a process, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  return field(pid, 'VmRSS');
}

/** Returns the peak resident memory since the start or the last `resetPeak`, in bytes. */
export async function peakResidentBytes(pid: number): Promise<number> {
  return field(pid, 'VmHWM');
}

/** Resets the peak to the present value. */
export async function resetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5');
}

async function field(pid: number, name: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1];
  if (kib === undefined) throw new Error(`no ${name} of process ${pid}`);
  return Number(kib) * 1024;
}
