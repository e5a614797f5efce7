// Uploads to S3 through Berth, beside the SDK's own Upload of the same file to the same server. Every round sends new
// bytes, and the stored objects are deleted afterwards.

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Upload } from '@aws-sdk/lib-storage';
import { runBench, type Bench } from './support/bench.ts';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import type { Claim } from './support/claims.ts';
import { transfer } from './support/curl.ts';
import { MIB } from './support/memory.ts';
import { stamp, writeRandomFile } from './support/random-file.ts';
import { startSwift } from './support/swift.ts';
import { takeTurns } from './support/turns.ts';

if (import.meta.main) await runBench(measureS3);

async function measureS3({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, mib } = sizes({ full: { runs: 5, mib: 512 }, small: { runs: 2, mib: 16 } });
  log(`files of ${mib} MiB to S3`);
  const file = await writeRandomFile(join(directory, 'file.bin'), mib);
  const { size } = await stat(file);
  await using swift = await startSwift();
  await using berth = await startBerth(join(directory, 'berth'), swift.env);

  const measured = (send: (round: number) => Promise<number>) => async (round: number) => {
    await stamp(file, round);
    const seconds = await send(round);
    await swift.empty();
    return size / seconds / 1e6;
  };
  const { berth: ours, sdk: peer } = await takeTurns(runs, {
    berth: measured(() =>
      transfer({
        url: artefactUrl(berth, 'file', 'bench-file'),
        headers: INTERNAL,
        send: { form: file },
        status: 201,
      }),
    ),
    sdk: measured(async (round) => {
      const startedAt = performance.now();
      // Defaults of the SDK: four parts of 5 MiB in parallel.
      await new Upload({
        client: swift.s3,
        params: { Bucket: swift.bucket, Key: `sdk/${round}`, Body: createReadStream(file, { highWaterMark: MIB }) },
      }).done();
      return (performance.now() - startedAt) / 1000;
    }),
  });
  return [
    {
      claim: `s3: upload of ${mib} MiB, beside the SDK alone`,
      unit: 'MB/s',
      ours,
      peer,
      bar: { atLeast: 0.8 },
    },
  ];
}
