// The least that a server can do with an upload: hash it, write it, flush it to disk, answer.

import { createHash, randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const directory = process.env['DATA_DIR'] ?? '.';

createServer((request, response) => {
  if (request.method === 'GET') return void response.end('ok');
  receive(request).then((digest) => response.writeHead(201).end(digest), () => response.destroy());
}).listen(Number(process.env['PORT']), '127.0.0.1');

async function receive(body: AsyncIterable<Buffer>): Promise<string> {
  const file = await open(join(directory, randomUUID()), 'wx');
  try {
    const hash = createHash('sha256');
    for await (const chunk of body) {
      hash.update(chunk);
      await file.write(chunk);
    }
    await file.sync();
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}
