// A proxy to a registry that stalls downloads half-way until it is told to resume.

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

export interface StallingProxy {
  url: string;
  /** Lets stalled downloads continue. */
  resume(): void;
  stop(): void;
}

/** @param stallAfterBytes bytes of a download to forward before stalling */
export async function startStallingProxy(target: string, stallAfterBytes: number): Promise<StallingProxy> {
  let resume: () => void = () => undefined;
  const resumed = new Promise<void>((resolve) => {
    resume = resolve;
  });
  const server = createServer((incoming, outgoing) => {
    const forwarded = request(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: { ...incoming.headers, host: new URL(target).host } },
      (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        if (/\/download/.test(incoming.url ?? ''))
          void forwardWithStall(response, stallAfterBytes, resumed, (chunk) => outgoing.write(chunk)).then(() =>
            outgoing.end(),
          );
        else response.pipe(outgoing);
      },
    );
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    resume,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function forwardWithStall(
  response: Readable,
  stallAfterBytes: number,
  resumed: Promise<void>,
  write: (chunk: Buffer) => void,
): Promise<void> {
  let forwardedBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const allowed = Math.max(0, stallAfterBytes - forwardedBytes);
    write(chunk.subarray(0, allowed));
    forwardedBytes += chunk.length;
    if (allowed >= chunk.length) continue;
    await resumed;
    write(chunk.subarray(allowed));
  }
}
