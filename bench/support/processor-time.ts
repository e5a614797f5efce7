// Reads the processor time of a process from Linux (proc_pid_stat(5)).

import { readFile } from 'node:fs/promises';

/** Of Linux on all architectures that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Returns the processor time of all threads since the start of the process, in seconds. */
export async function processorSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may have spaces. Afterwards, utime and stime are fields 12 and 13.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
