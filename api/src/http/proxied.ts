import type { FastifyRequest } from 'fastify';

/**
 * Whether the request came through a trusted proxy (TRUSTED_PROXIES): from such an address, with another one in
 * `X-Forwarded-For`. The header is ignored on requests from other addresses.
 */
export function isProxied(request: Pick<FastifyRequest, 'ips'>): boolean {
  return (request.ips?.length ?? 0) > 1;
}
