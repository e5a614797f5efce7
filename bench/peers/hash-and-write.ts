// The least that a server can do with an upload: hash it, write it, flush it to disk, answer. It gathers small chunks
// for each write as Berth does, without copying them: 1 GiB in a third less time than chunk by chunk.

import { createHash, randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const WRITE_BYTES = 256 * 1024;

/** What is done with each chunk besides; resolves when the chunk is not needed any more. */
export interface Reader {
  write(chunk: Buffer): Promise<void>;
  end(): Promise<void>;
}

/** Listens on the port in PORT and keeps what it receives in DATA_DIR. */
export function serveUploads(createReader?: () => Reader): void {
  const directory = process.env['DATA_DIR'] ?? '.';
  createServer((request, response) => {
    if (request.method === 'GET') return void response.end('ok');
    receive(request, join(directory, randomUUID()), createReader?.()).then(
      (digest) => response.writeHead(201).end(digest),
      () => response.destroy(),
    );
  }).listen(Number(process.env['PORT']), '127.0.0.1');
}

async function receive(body: AsyncIterable<Buffer>, path: string, reader: Reader | undefined): Promise<string> {
  const file = await open(path, 'wx');
  try {
    const hash = createHash('sha256');
    let chunks: Buffer[] = [];
    let gatheredBytes = 0;
    const flush = async () => {
      if (gatheredBytes > 0) await file.writev(chunks);
      chunks = [];
      gatheredBytes = 0;
    };
    for await (const chunk of body) {
      hash.update(chunk);
      chunks.push(chunk);
      gatheredBytes += chunk.length;
      await Promise.all([reader?.write(chunk), gatheredBytes >= WRITE_BYTES && flush()]);
    }
    await Promise.all([reader?.end(), flush()]);
    await file.sync();
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

if (import.meta.main) serveUploads();
