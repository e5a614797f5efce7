// Downloads of 1 GiB beside nginx with sendfile.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startNginx } from './peers/nginx.ts';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { transfer } from './support/curl.ts';
import { MIB } from './support/memory.ts';
import { writeRandomFile } from './support/random-file.ts';
import { takeTurns } from './support/turns.ts';

if (import.meta.main) await runBench(measureDownloads);

async function measureDownloads({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, mib } = sizes({ full: { runs: 9, mib: 1024 }, small: { runs: 2, mib: 64 } });
  log(`downloads of ${mib} MiB`);
  const files = join(directory, 'files');
  await mkdir(files);
  const file = await writeRandomFile(join(files, 'file.bin'), mib);
  await using nginx = await startNginx(join(directory, 'nginx'), files);
  await using berth = await startBerth(join(directory, 'berth'));
  await transfer({
    url: artefactUrl(berth, 'file', 'bench-file'),
    headers: INTERNAL,
    send: { form: file },
    status: 201,
  });

  const megabytesPerSecond = async (url: string, headers: Record<string, string>) =>
    (mib * MIB) / 1e6 / (await transfer({ url, headers, status: 200 }));
  const speeds = await takeTurns(runs, {
    berth: () => megabytesPerSecond(artefactUrl(berth, 'bench-file', 'download'), INTERNAL),
    nginx: () => megabytesPerSecond(`${nginx.url}/file.bin`, {}),
  });
  return [
    {
      claim: `download: file of ${mib} MiB, beside nginx with sendfile`,
      unit: 'MB/s',
      ours: speeds.berth,
      peer: speeds.nginx,
      bar: { atLeast: 0.8 },
    },
  ];
}
