const GROUPS = 8;
/** A subscriber has 2^64 addresses or more at hand. */
const NETWORK_GROUPS = 4;

/** Names whoever has an address: an IPv4 address itself, the network of 64 bits of an IPv6 one. */
export function networkOf(ip: string): string {
  const address = ip.replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const groupsOf = (part: string) => part.split(':').filter((group) => group !== '');
  const [before, behind] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, GROUPS - before.length - behind.length) }, () => '0');
  return `${[...before, ...zeros, ...behind]
    .slice(0, NETWORK_GROUPS)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
