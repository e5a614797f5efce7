// A TCP proxy that closes each connection after a number of response bytes.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

export interface CuttingProxy extends AsyncDisposable {
  url: string;
  /** Bytes forwarded from the server to the client. */
  passedBytes(): number;
  cuts(): number;
}

export async function startCuttingProxy(targetUrl: string, everyBytes: number): Promise<CuttingProxy> {
  const { hostname, port } = new URL(targetUrl);
  const sockets = new Set<{ destroy(): void }>();
  let passedBytes = 0;
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let remainingBytes = everyBytes;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
      });
    }
    client.pipe(upstream);
    upstream.on('data', (chunk) => {
      const part = chunk.subarray(0, remainingBytes);
      remainingBytes -= part.length;
      passedBytes += part.length;
      if (!client.write(part)) {
        upstream.pause();
        client.once('drain', () => upstream.resume());
      }
      if (remainingBytes > 0) return;
      cuts++;
      upstream.destroy();
      client.destroySoon();
    });
    upstream.once('close', () => {
      client.destroySoon();
    });
    client.once('close', () => {
      upstream.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passedBytes: () => passedBytes,
    cuts: () => cuts,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
