// Reads request headers that may be repeated or contain lists.

import type { IncomingHttpHeaders } from 'node:http';

/** Returns the value of a header; repeated ones are joined. */
export function headerValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Returns the first value of a comma-separated list; undefined if it is empty. */
export function firstValue(headers: IncomingHttpHeaders, name: string): string | undefined {
  return headerValue(headers, name)?.split(',', 1)[0]?.trim() || undefined;
}

/**
 * Returns the first value of a parameter of the `Forwarded` header (RFC 7239, section 4): that of the proxy nearest to
 * the client.
 */
export function forwardedParameter(headers: IncomingHttpHeaders, name: 'host' | 'proto'): string | undefined {
  const parameter = new RegExp(`(?:^|[;,\\s])${name}\\s*=\\s*(?:"([^"]*)"|([^;,\\s]*))`, 'i');
  const [, quoted, token] = parameter.exec(headerValue(headers, 'forwarded') ?? '') ?? [];
  return quoted ?? token;
}
