/**
 * Which addresses a webhook may go to: those of the public internet, and what the operator's administrator allows. Everything
 * that is special is refused, so that no tenant reaches the cluster, the node or a cloud's metadata through the operator.
 * https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry
 */
import { BlockList, isIP, isIPv6 } from 'node:net';

const SPECIAL_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
];
/** Of IPv6 only global unicast is public, less what in it is for documentation or leads to other addresses. */
const PUBLIC_V6 = ['2000::/3'];
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'];

const specialV4 = listOf(SPECIAL_V4);
const publicV6 = listOf(PUBLIC_V6);
const specialV6 = listOf(SPECIAL_V6);

export interface AddressRules {
  /** Networks that are allowed although they are special. */
  allowed: BlockList;
  /** http:// is allowed: what is sent can be read and changed on the way. */
  plainHttp: boolean;
}

/** Throws RangeError for what is no `address/bits`. */
export function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = '', ...rest] = network.split('/');
    const version = isIP(address);
    if (
      version === 0 ||
      rest.length > 0 ||
      !/^\d{1,3}$/.test(bits) ||
      Number(bits) > (version === 4 ? 32 : 128)
    )
      throw new RangeError(`${JSON.stringify(network)} is no network such as 10.1.0.0/16`);
    list.addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** @param address an IPv4 or IPv6 address; everything else is refused */
export function isAllowedAddress(address: string, { allowed }: Pick<AddressRules, 'allowed'>): boolean {
  // A zone (fe80::1%eth0) belongs to link-local addresses alone.
  const version = address.includes('%') ? 0 : isIP(address);
  if (version === 0) return false;
  const inner = version === 6 ? mappedV4(address) : address;
  if (inner !== undefined) return allowed.check(inner, 'ipv4') || !specialV4.check(inner, 'ipv4');
  return (
    allowed.check(address, 'ipv6') || (publicV6.check(address, 'ipv6') && !specialV6.check(address, 'ipv6'))
  );
}

/** The IPv4 address inside ::ffff:0:0/96, however it is written; undefined for other IPv6 addresses. */
function mappedV4(address: string): string | undefined {
  // The URL parser writes IPv6 addresses in one way: [::ffff:a00:1].
  if (!isIPv6(address)) return undefined;
  const match = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(new URL(`http://[${address}]/`).hostname);
  if (match === null) return undefined;
  const [high, low] = [parseInt(match[1] ?? '', 16), parseInt(match[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
