// Reads FRAME_ANCESTORS, which the server writes into the page, as browsers read `frame-ancestors`. They have refused
// all other ancestors already; here it decides whom messages are exchanged with.

const DEFAULT_PORTS: Record<string, string> = { 'http:': '80', 'https:': '443' };
/** Scheme, host and port. A source with a path matches nothing, since origins have none. */
const HOST_SOURCE = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\*|(?:\*\.)?[^*:/']+|\[[0-9a-f:.]+\])(?::(\d+|\*))?\/?$/i;

/**
 * Whether the list allows an origin.
 * @param sources separated by spaces, such as `'self' https://*.example.org`
 * @param own origin of this page
 */
export function allowsOrigin(sources: string, origin: string, own: string): boolean {
  const url = URL.parse(origin);
  // Opaque origins, such as those of sandboxed frames, are `null`.
  if (!url || !(url.protocol in DEFAULT_PORTS)) return false;
  return listOf(sources).some((source) => {
    if (source === '*') return true;
    if (source.toLowerCase() === "'self'") return origin === own;
    if (/^[a-z][a-z0-9+.-]*:$/i.test(source)) return matchesScheme(source.toLowerCase(), url.protocol);
    return matchesHost(source, url, new URL(own).protocol);
  });
}

/** The origins that the list names in full, without its patterns. */
export function namedOrigins(sources: string, own: string): string[] {
  const origins = listOf(sources).flatMap((source) => {
    if (source.toLowerCase() === "'self'") return [own];
    const scheme = source.includes('://') ? '' : `${new URL(own).protocol}//`;
    const url = HOST_SOURCE.test(source) && !source.includes('*') ? URL.parse(scheme + source) : null;
    return url && url.protocol in DEFAULT_PORTS ? [url.origin] : [];
  });
  return [...new Set(origins)];
}

function listOf(sources: string): string[] {
  return sources.split(' ').filter(Boolean);
}

/** An `http` source also allows `https`. */
function matchesScheme(expected: string, protocol: string): boolean {
  return expected === protocol || (expected === 'http:' && protocol === 'https:');
}

function matchesHost(source: string, { protocol, hostname, port }: URL, ownProtocol: string): boolean {
  const [, scheme, host = '', expectedPort] = HOST_SOURCE.exec(source.toLowerCase()) ?? [];
  if (host === '' || !matchesScheme(scheme === undefined ? ownProtocol : `${scheme}:`, protocol)) return false;
  if (host !== '*' && (host.startsWith('*.') ? !hostname.endsWith(host.slice(1)) : hostname !== host)) return false;
  const actualPort = port || DEFAULT_PORTS[protocol];
  return (
    expectedPort === '*' ||
    actualPort === (expectedPort ?? DEFAULT_PORTS[protocol]) ||
    (expectedPort === '80' && actualPort === '443' && protocol === 'https:')
  );
}
