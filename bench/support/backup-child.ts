// Run by housekeeping.ts: backs up the instance that the environment names into a folder, again and again, until it is killed.

import { backup } from '../../api/index.ts';

for (;;) await backup(process.env, process.argv[2] ?? '');
