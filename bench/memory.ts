// Memory of the server during 20 concurrent uploads of 200 MiB, beside a minimal server that hashes and writes the
// same bytes. Growth is the peak minus the idle size before; each run has its own process.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startNodePeer } from './peers/node-peer.ts';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { transfer } from './support/curl.ts';
import { MIB, peakResidentBytes, residentBytes, resetPeak } from './support/memory.ts';
import type { ServerProcess } from './support/processes.ts';
import { incompressible, writeTarball } from './support/tarball.ts';
import { takeTurns } from './support/turns.ts';

const IDLE_MS = 1_000;

if (import.meta.main) await runBench(measureMemory);

async function measureMemory({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, uploads, mib } = sizes({
    full: { runs: 3, uploads: 20, mib: 200 },
    small: { runs: 1, uploads: 4, mib: 8 },
  });
  log(`${uploads} uploads of ${mib} MiB concurrently`);
  const tarball = await writeTarball(join(directory, 'plugin.tgz'), '@bench/plugin', incompressible(mib));

  const growthMib = async (
    start: (dataDir: string) => Promise<ServerProcess>,
    upload: (server: ServerProcess, index: number) => Promise<unknown>,
  ) => {
    const dataDir = join(directory, 'data');
    await mkdir(dataDir);
    try {
      await using server = await start(dataDir);
      await wait(IDLE_MS);
      await resetPeak(server.pid);
      const idleBytes = await residentBytes(server.pid);
      await Promise.all(Array.from({ length: uploads }, (_unused, index) => upload(server, index)));
      return ((await peakResidentBytes(server.pid)) - idleBytes) / MIB;
    } finally {
      await rm(dataDir, { recursive: true });
    }
  };
  const growth = await takeTurns(runs, {
    berth: () =>
      growthMib(startBerth, (berth, index) =>
        transfer({
          url: artefactUrl(berth, 'npm', `plugin-${index}`),
          headers: INTERNAL,
          send: { form: tarball },
          status: 201,
        }),
      ),
    bare: () =>
      growthMib(
        (dataDir) => startNodePeer('hash-and-write', dataDir),
        ({ url }) => transfer({ url, send: { body: tarball }, status: 201 }),
      ),
  });
  return [
    {
      claim:
        `memory: growth during ${uploads} concurrent uploads of ${mib} MiB, ` +
        'beside node:http that hashes and writes',
      unit: 'MiB',
      ours: growth.berth,
      peer: growth.bare,
      bar: { atMost: 2 },
    },
  ];
}
