// Checks of texts that no pattern expresses.

import { isIP, isIPv4 } from 'node:net';

export const PROXY_RANGES = ['loopback', 'linklocal', 'uniquelocal'];

const BITS = { 4: 32, 6: 128 } as const;

/** Whether a text is a URL with a host, without white space. */
export function isUrl(text: string): boolean {
  const { hostname = '', username = '', password = '' } = URL.parse(text) ?? {};
  return hostname !== '' && !/\s/.test(text) && isDecodable(username) && isDecodable(password);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Whether a text is a URL of PostgreSQL, which may lack the host: `postgres://user@/berth?host=/run/postgresql`. */
export function isDatabaseUrl(text: string): boolean {
  return URL.canParse(text.replace('@/', '@localhost/'));
}

/** Whether a text is an address, a CIDR range, or one of PROXY_RANGES. */
export function isTrustedProxy(text: string): boolean {
  if (PROXY_RANGES.includes(text)) return true;
  const [address = '', range, ...rest] = text.split('/');
  const version = isIP(address);
  // Other characters of a zone are valid for Node, but not for the parser of forwarding headers.
  if ((version !== 4 && version !== 6) || rest.length > 0 || !/^[^%]+(?:%[0-9a-z]+)?$/i.test(address)) return false;
  if (range === undefined) return true;
  if (/^\d{1,3}$/.test(range)) return Number(range) >= 1 && Number(range) <= BITS[version];
  return version === 4 && isNetmask(range);
}

/** Whether a text is a netmask such as 255.255.0.0. */
function isNetmask(text: string): boolean {
  if (!isIPv4(text)) return false;
  const bits = text.split('.').map((part) => Number(part).toString(2).padStart(8, '0'));
  return /^1+0*$/.test(bits.join(''));
}

/** Whether a text is a list of sources of a Content-Security-Policy, and nothing that ends the directive. */
export function isSourceList(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text) && !/[;,]/.test(text);
}
