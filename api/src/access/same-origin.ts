// Protects sessions from pages of other origins (CSRF).

import type { IncomingHttpHeaders } from 'node:http';
import { CrossOriginError } from './errors.ts';
import { firstValue, forwardedParameter, headerValue } from './headers.ts';

/** Parts of a request that tell which page sent it, and which address of the registry it was sent to. */
export interface OriginRequest {
  method: string;
  headers: IncomingHttpHeaders;
  /** Host that the client addressed: as forwarded by a trusted proxy, else the `Host` header. */
  host: string;
  /** `http` or `https`: as forwarded by a trusted proxy, else that of the connection. */
  protocol: string;
}

export const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const MAX_SHOWN_LENGTH = 200;

/**
 * Refuses a state-changing request that a page of another origin sent with the user's cookie. A request without
 * `Origin` and `Sec-Fetch-Site` comes from a program, not from a page, and passes.
 * @param publicUrl PUBLIC_URL
 * @throws cross_origin, which names both origins
 */
export function assertSameOrigin(request: OriginRequest, publicUrl: string): void {
  if (SAFE_METHODS.has(request.method)) return;
  const { origin } = request.headers;
  const own = ownOrigins(request, publicUrl);
  const page = origin === undefined ? undefined : (URL.parse(origin)?.origin ?? '');
  if (page !== undefined && !own.includes(page))
    throw new CrossOriginError(
      "A session may change things only from the registry's own pages, but this page is at " +
        `${origin?.slice(0, MAX_SHOWN_LENGTH)} and the registry at ${own.join(' or ')}: open it there, or use an ` +
        'API key. If it is its own page, its administrator should compare PUBLIC_URL with the address that the ' +
        'browser shows, and check that the proxy forwards host and scheme and is in TRUSTED_PROXIES.',
    );
  const site = headerValue(request.headers, 'sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new CrossOriginError(
      "A session may change things only from the registry's own pages, but this request came from a page of " +
        `another site (Sec-Fetch-Site: ${site.slice(0, MAX_SHOWN_LENGTH)}): open the registry at ` +
        `${own.join(' or ')}, or use an API key.`,
    );
}

/**
 * The origin of PUBLIC_URL, and those of the address that the client used, which may be another name or an IP
 * address. Forwarding headers count from any proxy, trusted or not: a page of another origin cannot send them without
 * a preflight request, which fails. In a list, the first value is that of the proxy nearest to the client.
 */
function ownOrigins({ headers, host, protocol }: OriginRequest, publicUrl: string): string[] {
  const configured = new URL(publicUrl);
  const hosts = [host, firstValue(headers, 'x-forwarded-host'), forwardedParameter(headers, 'host')];
  const reported = [firstValue(headers, 'x-forwarded-proto'), forwardedParameter(headers, 'proto')].filter(
    (scheme) => scheme !== undefined && /^https?$/i.test(scheme),
  );
  const addressed = (reported.length > 0 ? reported : [protocol])
    .flatMap((scheme) => hosts.map((name) => (name === undefined ? null : URL.parse(`${scheme}://${name}`))))
    // The host of PUBLIC_URL is only served with the scheme of PUBLIC_URL.
    .filter((url) => url !== null && url.host !== configured.host)
    .map((url) => url?.origin ?? '');
  return [...new Set([configured.origin, ...addressed])];
}
