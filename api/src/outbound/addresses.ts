// Tells public addresses from those inside a network, so that a redirect cannot lead to a server that only this one
// can reach.

import { BlockList, isIP } from 'node:net';

/**
 * How far inside an address is: 0 public, 1 in a private network, 2 on this machine, 3 anything else, such as
 * link-local, multicast, unspecified and reserved addresses.
 */
export type Depth = 0 | 1 | 2 | 3;

/** CIDR ranges, such as `10.0.0.0/8`, in a form that can be posted to another thread. */
export type Networks = readonly string[];

/** Private use (RFC 1918), shared by carriers (RFC 6598), unique local (RFC 4193). */
const PRIVATE = blockListOf(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7']);
const LOOPBACK = blockListOf(['127.0.0.0/8', '::1/128']);
/** The other special IPv4 ranges of the IANA registry (RFC 6890), and multicast. */
const SPECIAL_IPV4 = blockListOf([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
]);
/** Global unicast, and what is special within it: protocol assignments and Teredo, documentation, 6to4. */
const GLOBAL_IPV6 = blockListOf(['2000::/3']);
const SPECIAL_IPV6 = blockListOf(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/** Returns how far inside an address is; 3 for a text that is not an address. */
export function depthOf(address: string): Depth {
  const [plain, family] = canonical(address);
  if (family === undefined) return 3;
  if (PRIVATE.check(plain, family)) return 1;
  if (LOOPBACK.check(plain, family)) return 2;
  if (family === 'ipv4') return SPECIAL_IPV4.check(plain, family) ? 3 : 0;
  return GLOBAL_IPV6.check(plain, family) && !SPECIAL_IPV6.check(plain, family) ? 0 : 3;
}

/** Returns how far inside a host of a URL is, if it can be told without a resolver; undefined for other names. */
export function depthOfHost(hostname: string): Depth | undefined {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (isIP(host) !== 0) return depthOf(host);
  return host === 'localhost' || host.endsWith('.localhost') ? 2 : undefined;
}

/** Returns a function that checks whether an address is at most so far inside, or in one of the networks. */
export function createAddressCheck(depth: Depth, networks: Networks): (address: string) => boolean {
  const allowed = blockListOf(networks);
  return (address) => {
    const [plain, family] = canonical(address);
    return family !== undefined && (depthOf(address) <= depth || allowed.check(plain, family));
  };
}

/** Checks a CIDR range; a single address is one too. */
export function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  const isLength = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  return family !== 0 && isLength && rest.length === 0 && !address.includes('%');
}

function blockListOf(networks: Networks): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/** Replaces an IPv6 address that stands for an IPv4 address, mapped or translated (NAT64, RFC 6052), by that one. */
function canonical(address: string): [string, 'ipv4' | 'ipv6' | undefined] {
  const [plain = ''] = address.split('%');
  const family = isIP(plain);
  if (family !== 6) return [plain, family === 4 ? 'ipv4' : undefined];
  const written = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [, high, low] = /^(?:::ffff:|64:ff9b::)(?:([0-9a-f]+):)?([0-9a-f]+)$/.exec(written) ?? [];
  if (low === undefined) return [written, 'ipv6'];
  const [upper, lower] = [parseInt(high ?? '0', 16), parseInt(low, 16)];
  return [`${upper >> 8}.${upper & 255}.${lower >> 8}.${lower & 255}`, 'ipv4'];
}
