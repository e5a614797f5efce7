// X-Accel-Redirect: Berth authorises a download, nginx sends the file (deploy/nginx.conf).

import type { IncomingHttpHeaders } from 'node:http';
import type { Blobs } from '../blobs/index.ts';

export interface AccelRedirectOptions {
  blobs: Pick<Blobs, 'locate'>;
  /**
   * Path of nginx's internal location for the blobs folder, such as `/internal-blobs/`. Without it, Berth sends all
   * downloads itself.
   */
  accelRedirectPrefix?: string | undefined;
}

interface RequestFacts {
  headers: IncomingHttpHeaders;
  isProxied: boolean;
}
interface PlannedResponse {
  status: 200 | 206;
  headers: Record<string, string>;
}

/** Headers that nginx sets itself. */
const NGINX_HEADERS = new Set(['content-length', 'content-range', 'accept-ranges']);
/** Conditions that Berth ignores. nginx would compare them with the date of the file, and reject the request. */
const NGINX_CONDITIONS = ['if-match', 'if-unmodified-since'] as const;

/**
 * Creates the function that replaces a response with bytes by one that tells nginx where they are. nginx then applies
 * the range.
 */
export function createAccelRedirect({ blobs, accelRedirectPrefix }: AccelRedirectOptions) {
  /**
   * @returns undefined if Berth must send the bytes itself: no trusted proxy forwarded the request, the blob is
   *   not a file, or nginx would interpret the request differently
   * @throws blob_missing, storage_unavailable
   */
  return async function accelRedirect(
    request: RequestFacts,
    digest: string,
    response: PlannedResponse,
  ): Promise<{ status: 200; headers: Record<string, string> } | undefined> {
    if (accelRedirectPrefix === undefined || !request.isProxied) return undefined;
    const isRangeIgnored = response.status === 200 && request.headers.range !== undefined;
    if (isRangeIgnored || NGINX_CONDITIONS.some((name) => request.headers[name] !== undefined)) return undefined;
    const path = await blobs.locate(digest);
    if (path === undefined) return undefined;
    const headers = Object.entries(response.headers).filter(([name]) => !NGINX_HEADERS.has(name));
    // 200, for the whole file: nginx applies the range.
    return {
      status: 200,
      headers: { ...Object.fromEntries(headers), 'x-accel-redirect': accelRedirectPrefix + path },
    };
  };
}
