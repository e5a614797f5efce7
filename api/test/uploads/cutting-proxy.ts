// A TCP proxy between client and server that a test can make cut a connection at any byte.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CuttingProxy {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  /** Bytes that clients have sent to the server so far, including request headers. */
  readonly sentBytes: number;
  /**
   * Cuts the connection after this many more bytes.
   * @param how `end`: bytes already sent still arrive; `reset`: the server may lose those it has not read yet
   */
  cutAfter(bytes: number, how?: 'end' | 'reset'): void;
  close(): Promise<void>;
}

export async function startCuttingProxy(serverUrl: string): Promise<CuttingProxy> {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let sentBytes = 0;
  let cut: { at: number; how: 'end' | 'reset' } | undefined;

  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    }
    upstream.pipe(client);
    client.on('data', (chunk) => {
      const allowed = cut && sentBytes + chunk.length >= cut.at ? chunk.subarray(0, cut.at - sentBytes) : chunk;
      sentBytes += allowed.length;
      const { how } = cut ?? {};
      if (allowed !== chunk || (cut && sentBytes === cut.at)) {
        cut = undefined;
        client.pause();
        upstream.write(allowed, () => {
          if (how === 'reset') upstream.resetAndDestroy();
          else upstream.end();
          client.resetAndDestroy();
        });
      } else if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
    });
    client.once('end', () => upstream.end());
    client.once('close', () => {
      if (!client.readableEnded && !upstream.writableEnded) upstream.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get sentBytes() {
      return sentBytes;
    },
    cutAfter(bytes, how = 'end') {
      cut = { at: sentBytes + bytes, how };
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
