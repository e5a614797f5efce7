// Tells which peers are trusted proxies (TRUSTED_PROXIES): only their forwarding and tracing headers count.

import { compile } from '@fastify/proxy-addr';

/** Whether the peer at an address is a trusted proxy. */
export type ProxyCheck = (address: string | undefined) => boolean;

/** @param proxies addresses, ranges (10.0.0.0/8, 10.0.0.0/255.0.0.0), `loopback`, `linklocal`, `uniquelocal` */
export function createProxyCheck(proxies: readonly string[]): ProxyCheck {
  const isTrusted = compile([...proxies]);
  return (address) => address !== undefined && isTrusted(address, 0);
}
