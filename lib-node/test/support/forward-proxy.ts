// A forward proxy, as in front of an intranet: it resolves every name to this machine, forwards requests and opens
// tunnels, and records what it was asked for.

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';

export interface ForwardProxy {
  /** `http://user:secret@127.0.0.1:<port>` */
  url: string;
  /** `CONNECT host:port`, or method and absolute URL. */
  requests: string[];
  close: () => Promise<void>;
}

const USER = 'user:secret';

/** Starts a proxy that requires a user and a password. */
export async function startForwardProxy(): Promise<ForwardProxy> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const expected = `Basic ${Buffer.from(USER).toString('base64')}`;
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push(`${method} ${url}`);
    if (headers['proxy-authorization'] !== expected) {
      response.writeHead(407).end('who are you?');
      return;
    }
    const { port, pathname, search } = new URL(url);
    const options = { host: '127.0.0.1', port, path: `${pathname}${search}`, method, headers };
    const onward = httpRequest(options, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy()).on('continue', () => response.writeContinue());
    request.pipe(onward);
  });
  // Otherwise Node answers itself; the registry has to.
  server.on('checkContinue', (request, response) => server.emit('request', request, response));
  server.on('connect', (request, socket: Socket, head: Buffer) => {
    requests.push(`CONNECT ${request.url ?? ''}`);
    if (request.headers['proxy-authorization'] !== expected) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const onward = connect(Number(request.url?.split(':').at(-1)), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const each of [socket, onward]) {
      sockets.add(each);
      each.on('error', () => undefined);
    }
    onward.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://${USER}@127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
