// Downloads that nginx sends itself: Berth decides, nginx reads the file (X-Accel-Redirect, deploy/nginx.conf).

import type { IncomingHttpHeaders } from 'node:http';
import type { Blobs } from '../blobs/index.ts';

export interface AccelRedirectOptions {
  blobs: Pick<Blobs, 'locate'>;
  /**
   * Path of nginx's internal location for the folder of the blobs, such as `/internal-blobs/`; without it nothing is
   * handed over.
   */
  accelRedirectPrefix?: string | undefined;
}

interface Asked {
  headers: IncomingHttpHeaders;
  isProxied: boolean;
}
interface Decided {
  status: 200 | 206;
  headers: Record<string, string>;
}

/** nginx writes them for what it sends. */
const HEADERS_OF_NGINX = new Set(['content-length', 'content-range', 'accept-ranges']);
/** Berth ignores them; nginx would compare them with the file's own date, and refuse. */
const CONDITIONS_OF_NGINX = ['if-match', 'if-unmodified-since'] as const;

/**
 * Makes the function that turns an answer with bytes into one that tells nginx where they are, and leaves the range to
 * it.
 */
export function createAccelRedirect({ blobs, accelRedirectPrefix }: AccelRedirectOptions) {
  /**
   * @returns undefined where Berth has to send the bytes itself: no nginx handed the request on, there is no file, or
   *   the two would understand the request differently
   * @throws blob_missing, storage_unavailable /
   */
  return async function accelRedirect(
    asked: Asked,
    digest: string,
    decided: Decided,
  ): Promise<{ status: 200; headers: Record<string, string> } | undefined> {
    if (accelRedirectPrefix === undefined || !asked.isProxied) return undefined;
    const isRangeIgnored = decided.status === 200 && asked.headers.range !== undefined;
    if (isRangeIgnored || CONDITIONS_OF_NGINX.some((name) => asked.headers[name] !== undefined)) return undefined;
    const path = await blobs.locate(digest);
    if (path === undefined) return undefined;
    const headers = Object.entries(decided.headers).filter(([name]) => !HEADERS_OF_NGINX.has(name));
    // 200 stands for the whole file, of which nginx takes the range.
    return {
      status: 200,
      headers: { ...Object.fromEntries(headers), 'x-accel-redirect': accelRedirectPrefix + path },
    };
  };
}
