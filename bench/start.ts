// Start-up time and idle memory. The data directory exists from an earlier start, as after an update or a restart.

import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { MIB, residentBytes } from './support/memory.ts';

const REQUESTS = 5;

if (import.meta.main) await runBench(measureStarts);

async function measureStarts({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, idleMs } = sizes({ full: { runs: 7, idleMs: 5_000 }, small: { runs: 2, idleMs: 100 } });
  const dataDir = join(directory, 'berth');
  const startMs: number[] = [];
  const residentMib: number[] = [];
  for (let run = 0; run <= runs; run++) {
    log(`start ${run} of ${runs}`);
    await using berth = await startBerth(dataDir);
    if (run === 0) continue;
    startMs.push(berth.startMs);
    for (let request = 0; request < REQUESTS; request++)
      await (await fetch(artefactUrl(berth), { headers: INTERNAL })).text();
    await wait(idleMs);
    residentMib.push((await residentBytes(berth.pid)) / MIB);
  }
  return [
    {
      claim: 'start: process start to the first 200 of /api/health/ready',
      unit: 'ms',
      ours: startMs,
      bar: { atMost: 1_500 },
    },
    { claim: 'start: resident memory when idle', unit: 'MiB', ours: residentMib, bar: { atMost: 180 } },
  ];
}
