// Helpers of the outbound tests: listening on an ephemeral port, reading a body.

import { once } from 'node:events';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import type { OutboundResponse } from '../../src/outbound/index.ts';

/** Listens on an ephemeral port, and returns it. */
export async function listen(server: net.Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export async function bodyOf({ chunks }: Pick<OutboundResponse, 'chunks'>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
