// A network between the command and a registry that stands still when it is told to.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** `cut` ends all connections; what comes afterwards passes. */
export interface Proxy {
  url: string;
  passedBytes: number;
  stallAfterBytes: number;
  stalled: Promise<void>;
  cut(): void;
  stop(): void;
}

/** Passes requests on, and takes no more from clients once so many bytes have come. */
export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  let tellStalled = () => {
    /* set below */
  };
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
        tellStalled();
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: Proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    passedBytes: 0,
    stallAfterBytes: Infinity,
    stalled: new Promise((resolve) => {
      tellStalled = resolve;
    }),
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
