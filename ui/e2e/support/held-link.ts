// A network to a registry on which downloads stop half-way until they are let go on.

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

export interface HeldLink {
  url: string;
  /** Lets downloads go on. */
  release(): void;
  stop(): void;
}

/** @param heldBytes of a download that pass before the rest is held back */
export async function startHeldLink(target: string, heldBytes: number): Promise<HeldLink> {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const server = createServer((incoming, outgoing) => {
    const passed = request(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: { ...incoming.headers, host: new URL(target).host } },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        if (/\/download/.test(incoming.url ?? ''))
          void hold(answer, heldBytes, released, (chunk) => outgoing.write(chunk)).then(() => outgoing.end());
        else answer.pipe(outgoing);
      },
    );
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    release,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function hold(
  answer: Readable,
  heldBytes: number,
  released: Promise<void>,
  write: (chunk: Buffer) => void,
): Promise<void> {
  let passedBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const room = Math.max(0, heldBytes - passedBytes);
    write(chunk.subarray(0, room));
    passedBytes += chunk.length;
    if (room >= chunk.length) continue;
    await released;
    write(chunk.subarray(room));
  }
}
