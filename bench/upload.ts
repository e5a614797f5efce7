// Uploads of 1 GiB beside servers that do less work, and beside docker-registry. Every round sends new bytes, and the
// stored bytes are deleted afterwards.

import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startDockerRegistry, uploadBlob } from './peers/docker-registry.ts';
import { startNodePeer } from './peers/node-peer.ts';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { transfer } from './support/curl.ts';
import { MIB } from './support/memory.ts';
import { digestOf, stamp, writeRandomFile } from './support/random-file.ts';
import { mixed, writeTarball } from './support/tarball.ts';
import { takeTurns } from './support/turns.ts';

const run = promisify(execFile);

/** A server that accepts uploads. */
interface UploadTarget {
  /** Directory of the stored bytes. */
  directory: string;
  /** Resolves with the duration in seconds. */
  upload(file: string): Promise<number>;
}

if (import.meta.main) await runBench(measureUploads);

async function measureUploads(bench: Bench): Promise<Claim[]> {
  return [...(await measureFiles(bench)), ...(await measureTarballs(bench))];
}

async function measureFiles({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, mib } = sizes({ full: { runs: 5, mib: 1024 }, small: { runs: 2, mib: 16 } });
  log(`files of ${mib} MiB`);
  const file = await writeRandomFile(join(directory, 'file.bin'), mib);
  const directories = {
    berth: join(directory, 'berth'),
    bare: join(directory, 'bare'),
    registry: join(directory, 'docker-registry'),
  };
  await mkdir(directories.bare);
  await using berth = await startBerth(directories.berth);
  await using bare = await startNodePeer('hash-and-write', directories.bare);
  await using registry = await startDockerRegistry(directories.registry);
  const speeds = await compare(runs, file, {
    berth: {
      directory: join(directories.berth, 'blobs'),
      upload: () =>
        transfer({
          url: artefactUrl(berth, 'file', 'bench-file'),
          headers: INTERNAL,
          send: { form: file },
          status: 201,
        }),
    },
    bare: {
      directory: directories.bare,
      upload: () => transfer({ url: bare.url, send: { body: file }, status: 201 }),
    },
    registry: {
      directory: join(directories.registry, 'blobs'),
      upload: async () => uploadBlob(registry, file, await digestOf(file)),
    },
  });
  return [
    {
      claim: `upload: file of ${mib} MiB, beside node:http that hashes and writes`,
      unit: 'MB/s',
      ours: speeds.berth,
      peer: speeds.bare,
      bar: { atLeast: 0.85 },
    },
    {
      claim: `upload: file of ${mib} MiB, beside docker-registry`,
      unit: 'MB/s',
      ours: speeds.berth,
      peer: speeds.registry,
      bar: { atLeast: 1.5 },
    },
  ];
}

async function measureTarballs({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, mib } = sizes({ full: { runs: 5, mib: 1024 }, small: { runs: 2, mib: 16 } });
  log(`npm tarballs of ${mib} MiB`);
  const file = await writeTarball(join(directory, 'plugin.tgz'), '@bench/plugin', mixed(), mib * MIB);
  const directories = { berth: join(directory, 'berth-npm'), bare: join(directory, 'bare-npm') };
  await mkdir(directories.bare);
  await using berth = await startBerth(directories.berth);
  await using bare = await startNodePeer('hash-inflate-and-write', directories.bare);
  const speeds = await compare(runs, file, {
    berth: {
      directory: join(directories.berth, 'blobs'),
      upload: () =>
        transfer({
          url: artefactUrl(berth, 'npm', 'bench-plugin'),
          headers: INTERNAL,
          send: { form: file },
          status: 201,
        }),
    },
    bare: {
      directory: directories.bare,
      upload: () => transfer({ url: bare.url, send: { body: file }, status: 201 }),
    },
  });
  return [
    {
      claim: `upload: npm tarball of ${mib} MiB, beside node:http that hashes, inflates and writes`,
      unit: 'MB/s',
      ours: speeds.berth,
      peer: speeds.bare,
      bar: { atLeast: 0.8 },
    },
  ];
}

/** Measures the targets, interleaved, in MB/s. */
async function compare<Name extends string>(
  runs: number,
  file: string,
  targets: Record<Name, UploadTarget>,
): Promise<Record<Name, number[]>> {
  const { size } = await stat(file);
  const measured = Object.entries<UploadTarget>(targets).map(([name, { directory, upload }]) => [
    name,
    async (round: number) => {
      await stamp(file, round);
      await run('sync');
      const seconds = await upload(file);
      await empty(directory);
      return size / seconds / 1e6;
    },
  ]);
  return takeTurns(runs, Object.fromEntries(measured) as Record<Name, (round: number) => Promise<number>>);
}

async function empty(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
}
