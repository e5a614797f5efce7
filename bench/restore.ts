// A restore of many small blobs into PostgreSQL and S3, beside a bare loop that sends the same files to the same
// server with the SDK, with the parallelism that suits it best.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../scripts/runtime.ts';
import { runBench, type Bench } from './support/bench.ts';
import { artefactUrl, INTERNAL, SECRETS, startBerth } from './support/berth-process.ts';
import type { Claim } from './support/claims.ts';
import { startPostgres } from './support/postgres.ts';
import { startSwift, type Swift } from './support/swift.ts';
import { requireTool } from './support/tools.ts';
import { takeTurns } from './support/turns.ts';

const PROGRAM = join(repositoryRoot, 'cli/bin/berth.js');
const BLOB_BYTES = 50_000;
const UPLOADS_AT_ONCE = 8;
/** The bare loop is tried with each of them first. */
const PARALLELISMS = [4, 8, 16, 32, 64];

const run = promisify(execFile);

if (import.meta.main) await runBench(measureRestore);

async function measureRestore({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, count } = sizes({ full: { runs: 3, count: 2300 }, small: { runs: 1, count: 60 } });
  log(`a backup of ${count} artefacts of ${BLOB_BYTES} bytes`);
  const backup = join(directory, 'backup');
  await makeBackup(directory, backup, count);
  const folder = join(backup, 'blobs/sha256');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  if (files.length !== count) throw new Error(`the backup has ${files.length} blobs instead of ${count}`);

  await using postgres = await startPostgres();
  await using swift = await startSwift();
  const psql = requireTool('psql', 'postgresql');
  /** Restores with the settings of a new, empty instance. */
  const restore = async (name: string, ...options: string[]) => {
    const env = {
      PATH: process.env.PATH,
      ...SECRETS,
      ...swift.env,
      DATA_DIR: join(directory, name),
      DATABASE_URL: postgres.url.replace('/postgres?', `/${name}?`),
      S3_ROOT_DIR: name,
    };
    return seconds(() => run(process.execPath, [PROGRAM, 'restore', backup, '--quiet', ...options], { env }));
  };
  const create = (name: string) => run(psql, ['-XAtq', '-d', postgres.url, '-c', `create database ${name}`]);
  const parallelism = await findBest(swift, files.slice(0, Math.ceil(count / 6)));
  log(`the bare loop sends ${parallelism} objects in parallel`);

  const { berth, loop, outage } = await takeTurns(runs, {
    berth: async (round) => {
      await create(`restored_${round}`);
      return count / (await restore(`restored_${round}`));
    },
    loop: async (round) => count / (await seconds(() => putAll(swift, files, parallelism, `loop-${round}`))),
    outage: async (round) => {
      await create(`moved_${round}`);
      await restore(`moved_${round}`, '--blobs-only');
      return restore(`moved_${round}`);
    },
  });
  const what = `${count} blobs of ${BLOB_BYTES / 1000} kB to PostgreSQL and S3`;
  return [
    {
      claim: `restore: ${what}, beside a loop of ${parallelism} parallel PutObject`,
      unit: 'blobs/s',
      ours: berth,
      peer: loop,
      bar: { atLeast: 0.7 },
    },
    { claim: `restore: ${what}, blobs copied ahead: time of the rest`, unit: 's', ours: outage },
  ];
}

async function makeBackup(directory: string, backup: string, count: number): Promise<void> {
  const dataDir = join(directory, 'original');
  await using berth = await startBerth(dataDir);
  await forEach(
    Array.from({ length: count }, (_, n) => n),
    UPLOADS_AT_ONCE,
    async (n) => {
      const form = new FormData();
      form.set('file', new Blob([randomBytes(BLOB_BYTES)]), 'it.bin');
      const { status } = await fetch(artefactUrl(berth, 'file', `it-${n}`), {
        method: 'POST',
        headers: INTERNAL,
        body: form,
      });
      if (status !== 201) throw new Error(`the upload was answered ${status}`);
    },
  );
  await run(process.execPath, [PROGRAM, 'backup', backup, '--quiet'], {
    env: { PATH: process.env.PATH, ...SECRETS, DATA_DIR: dataDir },
  });
}

async function findBest(swift: Swift, files: string[]): Promise<number> {
  let best = { parallelism: 0, time: Infinity };
  // The first one warms up.
  for (const parallelism of [PARALLELISMS[0] ?? 1, ...PARALLELISMS]) {
    const time = await seconds(() => putAll(swift, files, parallelism, `try-${parallelism}`));
    if (time < best.time) best = { parallelism, time };
  }
  return best.parallelism;
}

async function putAll({ s3, bucket }: Swift, files: string[], parallelism: number, folder: string): Promise<void> {
  await forEach(files, parallelism, async (file) => {
    await s3.putObject({ Bucket: bucket, Key: `${folder}/${file.slice(-64)}`, Body: await readFile(file) });
  });
}

async function forEach<T>(items: T[], parallelism: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: parallelism }, async () => {
      for (const item of rest) await work(item);
    }),
  );
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return (performance.now() - startedAt) / 1000;
}
