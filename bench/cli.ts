// The berth command beside its underlying tools: an upload of 1 GiB beside curl on the same route, and publishing the
// sample plug-in beside npm pack, each including the start of the process.

import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packSample } from '../scripts/sample.ts';
import { repositoryRoot } from '../scripts/runtime.ts';
import { signIn, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { writeRandomFile } from './support/random-file.ts';

const PROGRAM = join(repositoryRoot, 'cli/bin/berth.js');
const UPLOAD_BAR = 0.6;
const PUBLISH_BAR_MS = 3000;
const MIB = 1024 * 1024;

const run = promisify(execFile);

if (import.meta.main) await runBench(measureCommand);

async function measureCommand({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, sizeMib } = sizes({ full: { runs: 15, sizeMib: 1024 }, small: { runs: 1, sizeMib: 65 } });
  const megabytes = (sizeMib * MIB) / 1e6;
  await using berth = await startBerth(join(directory, 'data'));
  const key = await makeKey(berth.url);
  const env = {
    ...process.env,
    BERTH_URL: berth.url,
    BERTH_API_KEY: key,
    XDG_CACHE_HOME: join(directory, 'cache'),
    XDG_CONFIG_HOME: join(directory, 'config'),
  };

  log('upload');
  const upload: { ours: number[]; peer: number[] } = { ours: [], peer: [] };
  for (let number = 0; number < runs; number++) {
    // Alternating order, each with an idle disk.
    const sides = [
      {
        path: join(directory, 'ours'),
        rates: upload.ours,
        send: (path: string) => run(process.execPath, [PROGRAM, 'upload', path, '--id', 'ours', '--quiet'], { env }),
      },
      {
        path: join(directory, 'peer'),
        rates: upload.peer,
        send: (path: string) => uploadByCurl(berth.url, key, path, sizeMib * MIB),
      },
    ];
    for (const { path, rates, send } of number % 2 === 0 ? sides : sides.toReversed()) {
      await writeRandomFile(path, sizeMib);
      await run('sync');
      rates.push(megabytes / (await seconds(() => send(path))));
    }
  }

  log('publish');
  const tarball = await packSample(directory);
  const folder = await mkdtemp(join(directory, 'plugin-'));
  await run('tar', ['xzf', tarball, '-C', folder, '--strip-components=1']);
  const overheadMs: number[] = [];
  for (let number = 0; number < runs; number++) {
    const packing = await seconds(() =>
      run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', directory], { cwd: folder }),
    );
    const publishing = await seconds(() =>
      run(process.execPath, [PROGRAM, 'publish', '.', '--ref', 'main', '--quiet'], { cwd: folder, env }),
    );
    overheadMs.push((publishing - packing) * 1000);
  }
  return [
    {
      claim: `cli: berth upload of ${sizeMib} MiB, beside curl on the same route`,
      unit: 'MB/s',
      ...upload,
      bar: { atLeast: UPLOAD_BAR },
    },
    {
      claim: 'cli: berth publish of the sample plug-in, minus npm pack',
      unit: 'ms',
      ours: overheadMs,
      bar: { atMost: PUBLISH_BAR_MS },
    },
  ];
}

/** Uploads as the command does from 64 MiB: creates a tus upload, then sends all bytes in one PATCH. */
async function uploadByCurl(url: string, key: string, path: string, sizeBytes: number): Promise<void> {
  const metadata = Object.entries({ id: 'peer', format: 'file' })
    .map(([name, value]) => `${name} ${btoa(value)}`)
    .join(',');
  const common = ['-fsS', '-H', `x-api-key: ${key}`, '-H', 'tus-resumable: 1.0.0'];
  const { stdout } = await run('curl', [
    ...common,
    '-D',
    '-',
    '-o',
    '/dev/null',
    '-X',
    'POST',
    '-H',
    `upload-length: ${sizeBytes}`,
    '-H',
    `upload-metadata: ${metadata}`,
    `${url}/api/v1/uploads`,
  ]);
  const location = /^location: (.+)$/im.exec(stdout)?.[1]?.trim();
  if (!location) throw new Error('the upload was not created');
  await run('curl', [
    ...common,
    '-X',
    'PATCH',
    '-H',
    'upload-offset: 0',
    '-H',
    'content-type: application/offset+octet-stream',
    '-T',
    path,
    new URL(location, `${url}/api/v1/uploads`).href,
  ]);
}

async function makeKey(url: string): Promise<string> {
  const response = await fetch(`${url}/api/v1/api-keys`, {
    method: 'POST',
    headers: { ...(await signIn(url)), 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'upload', name: 'bench' }),
  });
  return ((await response.json()) as { key: string }).key;
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
