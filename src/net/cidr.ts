/**
 * Blocks of addresses: `10.244.0.0/16`. Pure. Used for pod and service ranges, routes and validation.
 */
import { formatIp, type Ip, parseIp } from './ip.js';

export interface Cidr {
  family: 4 | 6;
  /** The first address; bits behind the prefix are zero. */
  base: bigint;
  prefix: number;
}

const bitsOf = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** `undefined` for what is no block. Bits behind the prefix are dropped, unless `strict` refuses them. */
export function parseCidr(text: string, strict = false): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const ip = parseIp(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (!ip || prefix > bitsOf(ip.family)) return undefined;
  const hostBits = BigInt(bitsOf(ip.family) - prefix);
  const base = (ip.value >> hostBits) << hostBits;
  return strict && base !== ip.value ? undefined : { family: ip.family, base, prefix };
}

/** For a value that was checked when the configuration was read; throws on anything else. */
export function mustParseCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (!cidr) throw new Error(`"${text}" is no CIDR; write 10.244.0.0/16`);
  return cidr;
}

export const formatCidr = ({ family, base, prefix }: Cidr): string =>
  `${formatIp({ family, value: base })}/${prefix}`;

/** How many addresses it has. */
export const sizeOf = ({ family, prefix }: Cidr): bigint => 1n << BigInt(bitsOf(family) - prefix);

export const containsIp = (cidr: Cidr, ip: Ip): boolean =>
  ip.family === cidr.family && ip.value >= cidr.base && ip.value < cidr.base + sizeOf(cidr);

export const containsCidr = (outer: Cidr, inner: Cidr): boolean =>
  inner.prefix >= outer.prefix && containsIp(outer, { family: inner.family, value: inner.base });

export const overlaps = (a: Cidr, b: Cidr): boolean => containsCidr(a, b) || containsCidr(b, a);

/** The address at an index, counted from the first. Throws `RangeError` behind the end. */
export function addressAt(cidr: Cidr, index: bigint | number): string {
  const offset = BigInt(index);
  if (offset < 0n || offset >= sizeOf(cidr))
    throw new RangeError(`no address ${offset} in ${formatCidr(cidr)}`);
  return formatIp({ family: cidr.family, value: cidr.base + offset });
}

/** The index of an address; `undefined` for one that is not in the block. */
export function indexOf(cidr: Cidr, text: string): bigint | undefined {
  const ip = parseIp(text);
  return ip && containsIp(cidr, ip) ? ip.value - cidr.base : undefined;
}

/** How many blocks of `prefix` it splits into. */
export const countOfBlocks = (cidr: Cidr, prefix: number): number =>
  prefix < cidr.prefix ? 0 : Number(1n << BigInt(prefix - cidr.prefix));

/** The block of `prefix` at an index: the pod CIDR of one node. Throws `RangeError` behind the end. */
export function blockAt(cidr: Cidr, prefix: number, index: number): Cidr {
  if (index < 0 || index >= countOfBlocks(cidr, prefix)) {
    throw new RangeError(`no block ${index} of /${prefix} in ${formatCidr(cidr)}`);
  }
  const size = 1n << BigInt(bitsOf(cidr.family) - prefix);
  return { family: cidr.family, base: cidr.base + BigInt(index) * size, prefix };
}

/** The index of a block; `undefined` when it is not one of them. */
export function indexOfBlock(cidr: Cidr, block: Cidr): number | undefined {
  if (!containsCidr(cidr, block)) return undefined;
  const size = 1n << BigInt(bitsOf(cidr.family) - block.prefix);
  return Number((block.base - cidr.base) / size);
}
