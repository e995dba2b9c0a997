/** Blocks of addresses as `10.0.0.0/8` and `fd00::/8`: read, compared and written, wherever this runs. */

export interface Cidr {
  family: 4 | 6;
  /** Of the network; nothing stands behind its first `bits`. */
  base: bigint;
  bits: number;
}

const LENGTH = { 4: 32, 6: 128 } as const;
/** IPv4 written as IPv6 (::ffff:0:0/96): what looks like one family and leads to the other is no block here. */
const MAPPED_V4: Cidr = { family: 6, base: 0xffff_0000_0000n, bits: 96 };

/** Undefined for what is no block. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', length = '', ...rest] = text.split('/');
  const family = address.includes(':') ? 6 : 4;
  const value = family === 6 ? readV6(address) : readV4(address);
  const bits = Number(length);
  if (rest.length > 0 || value === undefined || !/^(0|[1-9]\d{0,2})$/.test(length) || bits > LENGTH[family])
    return undefined;
  const cidr: Cidr = { family, base: prefix(value, family, bits) << spare(family, bits), bits };
  return covers(MAPPED_V4, cidr) ? undefined : cidr;
}

/** As Kubernetes writes it. */
export function formatCidr({ family, base, bits }: Cidr): string {
  const size = family === 6 ? 16 : 8;
  const parts = Array.from({ length: LENGTH[family] / size }, (_, index) =>
    BigInt.asUintN(size, base >> BigInt(LENGTH[family] - size * (index + 1))),
  );
  if (family === 4) return `${parts.join('.')}/${bits}`;
  const written = parts.map((part) => part.toString(16)).join(':');
  // The URL parser leaves zeros out as RFC 5952 has it.
  return `${new URL(`http://[${written}]`).hostname.slice(1, -1)}/${bits}`;
}

/** Every address of the inner one is of the outer one. */
export const covers = (outer: Cidr, inner: Cidr): boolean =>
  outer.family === inner.family &&
  outer.bits <= inner.bits &&
  prefix(inner.base, inner.family, outer.bits) === prefix(outer.base, outer.family, outer.bits);

const spare = (family: 4 | 6, bits: number): bigint => BigInt(LENGTH[family] - bits);
const prefix = (value: bigint, family: 4 | 6, bits: number): bigint => value >> spare(family, bits);

function readV4(text: string): bigint | undefined {
  const parts = text.split('.');
  const isAddress =
    parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return isAddress ? parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n) : undefined;
}

function readV6(text: string): bigint | undefined {
  const [head = '', tail, ...more] = text.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = 8 - left.length - right.length;
  if (more.length > 0 || (tail === undefined ? zeros !== 0 : zeros < 1)) return undefined;
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
