// Peer: the minimum of work for an upload: hash, write, flush to disk, respond. It buffers small chunks for one
// `writev`, as Berth does: 1 GiB takes a third less time than with one write per chunk.

import { createHash, randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const WRITE_BYTES = 256 * 1024;

/** Additional consumer of each chunk; resolves when it no longer needs the chunk. */
export interface Reader {
  write(chunk: Buffer): Promise<void>;
  end(): Promise<void>;
}

/** Listens on PORT and stores received files in DATA_DIR. */
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
    let bufferedBytes = 0;
    const flush = async () => {
      if (bufferedBytes > 0) await file.writev(chunks);
      chunks = [];
      bufferedBytes = 0;
    };
    for await (const chunk of body) {
      hash.update(chunk);
      chunks.push(chunk);
      bufferedBytes += chunk.length;
      await Promise.all([reader?.write(chunk), bufferedBytes >= WRITE_BYTES && flush()]);
    }
    await Promise.all([reader?.end(), flush()]);
    await file.sync();
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

if (import.meta.main) serveUploads();
