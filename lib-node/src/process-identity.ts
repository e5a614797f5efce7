// Identifies a process, so that others can tell whether it is still alive even if its process id is reused.

import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isErrno } from './errors.ts';

/** Identity of a process. Its pid is meaningful only within the same `space`. */
export interface ProcessIdentity {
  /** 12 hex digits, a hash of host, boot and pid namespace: containers on one host differ. */
  space: string;
  pid: number;
  /** Start time in clock ticks since boot (Linux); `0` on other systems. */
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

/** Tells whether a process of this process's own `space` is alive; a zombie is not. */
export async function isAlive({ pid, start }: ProcessIdentity): Promise<boolean> {
  if (start === '0') return isSignallable(pid);
  const stat = await readStat(pid);
  return stat !== undefined && stat.start === start && !['Z', 'X'].includes(stat.state);
}

/**
 * Reads fields 3 and 22 of proc_pid_stat(5), counted from the last `)`: the process name before it can contain any
 * character.
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
