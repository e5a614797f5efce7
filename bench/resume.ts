// Resumable uploads: bytes sent again after a disconnection or a kill, and their speed beside a form.

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { transfer } from './support/curl.ts';
import { MIB, peakResidentBytes, residentBytes, resetPeak } from './support/memory.ts';
import type { ServerProcess } from './support/processes.ts';
import { stamp, writeRandomFile } from './support/random-file.ts';
import { BYTES, createUpload, offsetOf, sendBytes } from './support/tus.ts';
import { takeTurns } from './support/turns.ts';

const run = promisify(execFile);

export interface Interruptions {
  interruptions: number;
  /** Bytes that were sent, but that the server did not have afterwards. */
  sentAgainBytes: number;
  /** Number of offsets lower than one that the server had acknowledged. */
  lostOffsets: number;
  /** Whether the artefact has the digest of the sent file. */
  isIntact: boolean;
  /** Growth of resident memory, if the server was not killed. */
  growthBytes: number;
}

/** The file repeats a pattern of this length, which differs at each point of interruption. */
const PATTERN_BYTES = 5 * MIB + 251;

/**
 * Uploads a file with an interruption every `everyBytes`: the client disconnects, or the server is killed and
 * restarted.
 */
export async function interruptUpload(
  dataDir: string,
  { sizeBytes, everyBytes, by }: { sizeBytes: number; everyBytes: number; by: 'cut' | 'kill' },
): Promise<Interruptions> {
  const pattern = randomBytes(PATTERN_BYTES);
  const repeated = Buffer.concat([pattern, pattern]);
  const read = (start: number, end: number) =>
    repeated.subarray(start % PATTERN_BYTES, (start % PATTERN_BYTES) + end - start);
  const hash = createHash('sha256');
  for (let start = 0; start < sizeBytes; start += MIB) hash.update(read(start, Math.min(start + MIB, sizeBytes)));

  await using servers = new AsyncDisposableStack();
  let berth: ServerProcess = servers.use(await startBerth(dataDir));
  const path = await createUpload(berth, 'interrupted', sizeBytes);
  await resetPeak(berth.pid);
  const idleBytes = await residentBytes(berth.pid);
  const report: Interruptions = {
    interruptions: 0,
    sentAgainBytes: 0,
    lostOffsets: 0,
    isIntact: false,
    growthBytes: 0,
  };
  for (let offset = 0; offset < sizeBytes;) {
    const status = await sendBytes(berth.url + path, { offset, sizeBytes, cutAfterBytes: everyBytes, read });
    if (status === 204) break;
    if (status !== undefined) throw new Error(`the last PATCH got status ${status}`);
    report.interruptions++;
    if (by === 'kill') {
      await berth.kill();
      berth = servers.use(await startBerth(dataDir));
    }
    const storedBytes = await offsetOf(berth.url + path);
    if (storedBytes < offset) report.lostOffsets++;
    report.sentAgainBytes += offset + everyBytes - storedBytes;
    offset = storedBytes;
  }
  if (by === 'cut') report.growthBytes = (await peakResidentBytes(berth.pid)) - idleBytes;
  const { digest } = (await (await fetch(artefactUrl(berth, 'interrupted'), { headers: INTERNAL })).json()) as {
    digest?: string;
  };
  report.isIntact = digest === `sha256:${hash.digest('hex')}`;
  return report;
}

async function measureInterruptions({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, mib, everyMib } = sizes({
    full: { runs: 1, mib: 4096, everyMib: 300 },
    small: { runs: 1, mib: 64, everyMib: 10 },
  });
  const claims: Claim[] = [];
  for (const [by, bar] of [
    ['cut', 1],
    ['kill', 3],
  ] as const) {
    log(`a file of ${mib} MiB, ${by} every ${everyMib} MiB`);
    const sentAgain: number[] = [];
    const growth: number[] = [];
    for (let round = 0; round < runs; round++) {
      const dataDir = join(directory, `${by}-${round}`);
      const report = await interruptUpload(dataDir, { sizeBytes: mib * MIB, everyBytes: everyMib * MIB, by });
      if (!report.isIntact || report.lostOffsets > 0)
        throw new Error(`an upload was damaged: ${JSON.stringify(report)}`);
      sentAgain.push((100 * report.sentAgainBytes) / (mib * MIB));
      growth.push(report.growthBytes / MIB);
      await rm(dataDir, { recursive: true });
    }
    const what = by === 'cut' ? 'client disconnected' : 'server killed';
    claims.push({
      claim: `resume: bytes sent again of ${mib} MiB, ${what} every ${everyMib} MiB`,
      unit: '%',
      ours: sentAgain,
      bar: { atMost: bar },
    });
    if (by === 'cut')
      claims.push({ claim: `resume: memory growth during an upload of ${mib} MiB`, unit: 'MiB', ours: growth });
  }
  return claims;
}

async function measureSpeed({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, mib, pieceMib } = sizes({
    full: { runs: 5, mib: 1024, pieceMib: 64 },
    small: { runs: 2, mib: 16, pieceMib: 4 },
  });
  log(`files of ${mib} MiB, in one piece and in pieces of ${pieceMib} MiB`);
  const file = await writeRandomFile(join(directory, 'file.bin'), mib);
  const dataDir = join(directory, 'berth');
  const pieces = join(directory, 'pieces');
  await using berth = await startBerth(dataDir);
  const { size } = await stat(file);

  const measured = (send: () => Promise<number>) => async (round: number) => {
    await stamp(file, round);
    await rm(pieces, { recursive: true, force: true });
    await mkdir(pieces);
    await run('split', ['-b', `${pieceMib}M`, file, join(pieces, 'piece-')]);
    await run('sync');
    const seconds = await send();
    for (const name of await readdir(join(dataDir, 'blobs')))
      await rm(join(dataDir, 'blobs', name), { recursive: true });
    return size / seconds / 1e6;
  };
  const patch = (url: string, offset: number, body: string) =>
    transfer({
      url,
      headers: { ...BYTES, 'Upload-Offset': String(offset) },
      send: { body, method: 'PATCH' },
      status: 204,
    });
  const speeds = await takeTurns(runs, {
    form: measured(() =>
      transfer({
        url: artefactUrl(berth, 'file', 'bench-file'),
        headers: INTERNAL,
        send: { form: file },
        status: 201,
      }),
    ),
    single: measured(async () => patch(berth.url + (await createUpload(berth, 'bench-file', size)), 0, file)),
    pieces: measured(async () => {
      const url = berth.url + (await createUpload(berth, 'bench-file', size));
      let seconds = 0;
      for (const [index, name] of (await readdir(pieces)).sort().entries())
        seconds += await patch(url, index * pieceMib * MIB, join(pieces, name));
      return seconds;
    }),
  });
  return [
    {
      claim: `resume: file of ${mib} MiB in one PATCH, beside a form`,
      unit: 'MB/s',
      ours: speeds.single,
      peer: speeds.form,
      bar: { atLeast: 0.9 },
    },
    {
      claim: `resume: file of ${mib} MiB in pieces of ${pieceMib} MiB, beside a form`,
      unit: 'MB/s',
      ours: speeds.pieces,
      peer: speeds.form,
    },
  ];
}

if (import.meta.main)
  await runBench(async (bench) => [...(await measureInterruptions(bench)), ...(await measureSpeed(bench))]);
