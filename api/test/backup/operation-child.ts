// Run by operation-process.ts: one operation in a process of its own, which may kill itself on the way.
// Arguments: the operation, and the folder of the backup. Prints the result, or the code of the failure, as JSON.

import { backup, restore, type BackupProgress } from '../../index.ts';

const [name, directory = ''] = process.argv.slice(2);
const killAt = Number(process.env['KILL_AT'] ?? Infinity);
let steps = 0;
let step = '';

/**
 * Counts phases, rows and blobs. In how many pieces the bytes of a blob come, and how long a lease is waited for,
 * differs from run to run.
 */
function onProgress({ phase, done }: BackupProgress): void {
  if (phase === 'waiting' || step === `${phase} ${done}`) return;
  step = `${phase} ${done}`;
  if (++steps === killAt) process.kill(process.pid, 'SIGKILL');
}

try {
  const report =
    name === 'backup'
      ? await backup(process.env, directory, { onProgress, verify: process.env['VERIFY'] === '1' })
      : await restore(process.env, directory, { onProgress });
  console.log(JSON.stringify({ report, steps }));
} catch (error) {
  console.log(JSON.stringify({ code: (error as { code?: string }).code, message: (error as Error).message }));
}
