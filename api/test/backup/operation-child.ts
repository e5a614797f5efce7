// Run by operation-process.ts: one operation in a process of its own, which may kill itself on the way.
// Arguments: the operation, and the folder of the backup. Prints the result, or the code of the failure, as JSON.

import { backup, restore, type BackupProgress } from '../../index.ts';

const [name, directory = ''] = process.argv.slice(2);
const killAt = Number(process.env['KILL_AT'] ?? Infinity);
let steps = 0;
// How long it waits for a lease is the clock's affair.
const onProgress = ({ phase }: BackupProgress) => { if (phase !== 'waiting' && ++steps === killAt) process.kill(process.pid, 'SIGKILL'); };

try {
  const report = name === 'backup'
    ? await backup(process.env, directory, { onProgress, verify: process.env['VERIFY'] === '1' })
    : await restore(process.env, directory, { onProgress });
  console.log(JSON.stringify({ report, steps }));
} catch (error) {
  console.log(JSON.stringify({ code: (error as { code?: string }).code, message: (error as Error).message }));
}
