// A TCP proxy between the command and a registry that can stall and cut connections.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Proxy {
  url: string;
  /** Bytes received from clients. */
  passedBytes: number;
  /** Once passedBytes reaches this, connections are no longer read. */
  stallAfterBytes: number;
  /** Resolves when the first connection stalls. */
  stalled: Promise<void>;
  /** Closes all connections; new ones pass. */
  cut(): void;
  stop(): void;
}

/** Starts a proxy to the address of `target`. */
export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const { promise: stalled, resolve: onStalled } = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {
          client.destroy();
          upstream.destroy();
        })
        .on('close', () => {
          client.destroy();
          upstream.destroy();
        });
    }
    upstream.pipe(client);
    client.on('data', (chunk: Buffer) => {
      proxy.passedBytes += chunk.length;
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
      if (proxy.passedBytes >= proxy.stallAfterBytes) {
        client.removeAllListeners('data').pause();
        onStalled();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passedBytes: 0,
    stallAfterBytes: Infinity,
    stalled,
    cut() {
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    stop() {
      proxy.cut();
      server.close();
    },
  };
  return proxy;
}
