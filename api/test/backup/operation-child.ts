// Run by operation-process.ts: one operation in a separate process, which may kill itself midway.
// Arguments: the operation and the backup directory. Prints the result, or the error, as JSON.

import { backup, restore, type BackupProgress } from '../../index.ts';

const [name, directory = ''] = process.argv.slice(2);
const killAt = Number(process.env['KILL_AT'] ?? Infinity);
const killAtBytes = Number(process.env['KILL_AT_BYTES'] ?? Infinity);
let steps = 0;
let step = '';

/** Counts phases, rows and blobs. Ignores what varies from run to run: chunks of a blob, and waiting for a lease. */
function onProgress({ phase, done, bytesDone = 0 }: BackupProgress): void {
  if (phase === 'blobs' && bytesDone >= killAtBytes) process.kill(process.pid, 'SIGKILL');
  if (phase === 'waiting' || step === `${phase} ${done}`) return;
  step = `${phase} ${done}`;
  if (++steps === killAt) process.kill(process.pid, 'SIGKILL');
}

try {
  const report =
    name === 'backup'
      ? await backup(process.env, directory, { onProgress, verify: process.env['VERIFY'] === '1' })
      : await restore(process.env, directory, { onProgress, blobsOnly: process.env['BLOBS_ONLY'] === '1' });
  console.log(JSON.stringify({ report, steps }));
} catch (error) {
  console.log(JSON.stringify({ code: (error as { code?: string }).code, message: (error as Error).message }));
}
