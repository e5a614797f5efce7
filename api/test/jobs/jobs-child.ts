// Program of the failover tests: runs one job, which prints `running` once its progress is stored and then hangs.
// Arguments: database URL, job name, lease TTL in milliseconds.

import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '../../src/db/index.ts';
import { createJobs } from '../../src/jobs/index.ts';

const [url = '', name = '', ttl = ''] = process.argv.slice(2);
const database = createDatabase({ url });
const jobs = createJobs({
  database,
  onError: (error) => {
    console.error(error);
  },
  leaseTtlMs: Number(ttl),
  pollMs: 20,
});
process.stdin.on('end', () => process.exit()).resume();

jobs.register<{ done: number }, void>({
  name,
  async run({ signal, progress }) {
    progress({ done: 7 });
    // The parent relies on the progress being stored once it reads `running`.
    for (let isStored = false; !isStored;) {
      await sleep(10);
      isStored = (await jobs.states()).get(name)?.progress !== undefined;
    }
    console.log('running');
    await sleep(600_000, undefined, { signal });
  },
});
await jobs.start();
await database.transaction((tx) => jobs.makeDue(tx, name));
jobs.wake(name);
