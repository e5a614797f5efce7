import type { FastifyRequest } from 'fastify';

/**
 * Tells whether a proxy that is trusted (TRUSTED_PROXIES) handed the request on: it comes from such an address and
 * names another one in `X-Forwarded-For`. What others write into that header does not count. /
 */
export function isProxied(request: Pick<FastifyRequest, 'ips'>): boolean {
  return (request.ips?.length ?? 0) > 1;
}
