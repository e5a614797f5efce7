// Memory of the server while 20 uploads of 200 MiB run at once, beside a bare server that hashes and writes the
// same bodies. `node bench/memory.ts [runs] [uploads] [MiB]`; the growth is the peak less the idle size before.

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { Header } from 'tar/header';
import { fileURLToPath } from 'node:url';
import { INTERNAL, startBerth, startPeer, type ServerProcess } from './support/berth-process.ts';
import { MIB, peakResidentBytes, residentBytes, resetPeak } from './support/memory.ts';
import { median } from './support/statistics.ts';

const [runs = 3, uploads = 20, sizeMib = 200] = process.argv.slice(2).map(Number);
const BARE_SERVER = fileURLToPath(new URL('./peers/hash-and-write.ts', import.meta.url));
const IDLE_MS = 1_000;

const scratch = await mkdtemp(join(tmpdir(), 'berth-memory-'));
try {
  const tarball = await makeTarball(join(scratch, 'plugin.tgz'));
  const growth: { berth: number[]; bare: number[] } = { berth: [], bare: [] };
  for (let run = 1; run <= runs; run++) {
    growth.bare.push(await measure('bare', (directory) => startPeer(BARE_SERVER, directory), (url) => send(`${url}/`, tarball, {}, '', '')));
    growth.berth.push(await measure('berth', startBerth, (url, index) => sendForm(`${url}/api/v1/artefacts/npm/plugin-${index}`, tarball)));
    console.log(`run ${run}: bare ${growth.bare.at(-1)?.toFixed(0)} MiB, berth ${growth.berth.at(-1)?.toFixed(0)} MiB`);
  }
  const [bare, berth] = [median(growth.bare), median(growth.berth)];
  console.log(`median growth over ${runs} runs of ${uploads} uploads of ${sizeMib} MiB: bare ${bare.toFixed(0)} MiB, berth ${berth.toFixed(0)} MiB, ratio ${(berth / bare).toFixed(2)}`);
} finally {
  await rm(scratch, { recursive: true, force: true });
}

async function measure(name: string, start: (directory: string) => Promise<ServerProcess>, upload: (url: string, index: number) => Promise<void>): Promise<number> {
  const directory = await mkdtemp(join(scratch, `${name}-`));
  const server = await start(directory);
  try {
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    await resetPeak(server.pid);
    const idle = await residentBytes(server.pid);
    await Promise.all(Array.from({ length: uploads }, (_unused, index) => upload(server.url, index)));
    return (await peakResidentBytes(server.pid) - idle) / MIB;
  } finally {
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeTarball(path: string): Promise<string> {
  await pipeline(tarOfRandomBytes(), createGzip({ level: 1 }), (await open(path, 'w')).createWriteStream());
  return path;
}

async function* tarOfRandomBytes(): AsyncGenerator<Uint8Array> {
  const manifest = Buffer.from(JSON.stringify({ name: '@acme/big', version: '1.0.0' }));
  yield header('package/package.json', manifest.length);
  yield Buffer.concat([manifest], Math.ceil(manifest.length / 512) * 512);
  yield header('package/data.bin', sizeMib * MIB);
  for (let index = 0; index < sizeMib; index++) yield randomBytes(MIB);
  yield Buffer.alloc(1024);
}

function header(path: string, size: number): Uint8Array {
  const encoded = new Header({ path, size, mode: 0o644, mtime: new Date(0), type: 'File' });
  encoded.encode();
  if (!encoded.block) throw new Error('an encoded header has a block');
  return encoded.block;
}

async function sendForm(url: string, path: string): Promise<void> {
  const boundary = `berth-${randomBytes(12).toString('hex')}`;
  const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="plugin.tgz"\r\ncontent-type: application/gzip\r\n\r\n`;
  await send(url, path, { ...INTERNAL, 'content-type': `multipart/form-data; boundary=${boundary}` }, head, `\r\n--${boundary}--\r\n`);
}

async function send(url: string, path: string, headers: Record<string, string>, head: string, tail: string): Promise<void> {
  const { size } = await stat(path);
  await new Promise<void>((resolve, reject) => {
    const upload = request(url, { method: 'POST', headers: { ...headers, 'content-length': head.length + size + tail.length } }, (response) => {
      response.resume().on('end', () => { if (response.statusCode === 201) resolve(); else reject(new Error(`an upload was answered with ${response.statusCode}`)); });
    });
    upload.on('error', reject);
    upload.write(head);
    createReadStream(path, { highWaterMark: MIB }).on('error', reject).on('end', () => upload.end(tail)).pipe(upload, { end: false });
  });
}
