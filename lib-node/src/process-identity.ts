// Tells whether the process that wrote something down still lives, even where process ids are used again.

import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isErrno } from './errors.ts';

/** A process as others can recognise it; its id means something only where `space` is the same. */
export interface ProcessIdentity {
  /** 12 hex digits of the host, its boot and its process id namespace: containers on one host differ. */
  space: string;
  pid: number;
  /** Start in clock ticks since boot (Linux); `0` where the system does not tell. */
  start: string;
}

/** Identifies the running process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return {
    space: createHash('sha256').update([hostname(), bootId, namespace].join('\n')).digest('hex').slice(0, 12),
    pid: process.pid,
    start: (await readStat(process.pid))?.start ?? '0',
  };
}

/** Tells whether a process of this very `space` lives; one that waits to be reaped does not. */
export async function isAlive({ pid, start }: ProcessIdentity): Promise<boolean> {
  if (start === '0') return isSignallable(pid);
  const stat = await readStat(pid);
  return stat !== undefined && stat.start === start && !['Z', 'X'].includes(stat.state);
}

/**
 * Reads fields 3 and 22 of proc_pid_stat(5); they are counted from the last `)`, since the name before it may hold
 * anything.
 */
async function readStat(pid: number): Promise<{ state: string; start: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.length < 20 ? undefined : { state: fields[0] ?? '', start: fields[19] ?? '' };
}

function isSignallable(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return isErrno(error, 'EPERM');
  }
}
