// Run by jobs tests: a process with one job that, once it runs, prints its progress and never ends by itself.
// Arguments: the database's URL, the name of the job, the lease's life in milliseconds.

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
    // The first progress is written at once; what is printed may be relied on.
    for (let written = false; !written;) {
      await sleep(10);
      written = (await jobs.states()).get(name)?.progress !== undefined;
    }
    console.log('running');
    await sleep(600_000, undefined, { signal });
  },
});
await jobs.start();
await jobs.runNow(name);
