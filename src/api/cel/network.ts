/**
 * The `ip`, `cidr` and `url` types that Kubernetes adds to CEL. Pure.
 */
import type { Environment } from '@marcbachmann/cel-js';
import { isIPv4, isIPv6 } from '../structural/formats.js';
import { addAll, addNamespace, fail } from './library.js';

/** An address as a number, and how many bits it has. */
export class CelIp {
  readonly text: string;
  readonly bits: 32 | 128;
  readonly value: bigint;

  constructor(text: string, bits: 32 | 128, value: bigint) {
    this.text = text;
    this.bits = bits;
    this.value = value;
  }

  equals(other: CelIp): boolean {
    return this.bits === other.bits && this.value === other.value;
  }

  toString(): string {
    return this.text;
  }
}

export class CelCidr {
  readonly ip: CelIp;
  readonly prefix: number;

  constructor(ip: CelIp, prefix: number) {
    this.ip = ip;
    this.prefix = prefix;
  }

  get base(): bigint {
    const free = BigInt(this.ip.bits - this.prefix);
    return (this.ip.value >> free) << free;
  }

  contains(ip: CelIp): boolean {
    const free = BigInt(this.ip.bits - this.prefix);
    return ip.bits === this.ip.bits && ip.value >> free === this.ip.value >> free;
  }

  equals(other: CelCidr): boolean {
    return this.ip.equals(other.ip) && this.prefix === other.prefix;
  }

  toString(): string {
    return `${this.ip}/${this.prefix}`;
  }
}

export class CelUrl {
  readonly url: URL;

  constructor(url: URL) {
    this.url = url;
  }

  equals(other: CelUrl): boolean {
    return this.url.href === other.url.href;
  }

  toString(): string {
    return this.url.href;
  }
}

const octets = (text: string): bigint =>
  text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);

function groups(text: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const last = dotted?.[2] ? octets(dotted[2]) : 0n;
  const hex = dotted ? `${dotted[1]}${(last >> 16n).toString(16)}:${(last & 0xffffn).toString(16)}` : text;
  const [head = '', tail] = hex.split('::');
  const parts = (side: string): string[] => (side === '' ? [] : side.split(':'));
  const [left, right] = [parts(head), parts(tail ?? '')];
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((value, part) => (value << 16n) | BigInt(`0x${part}`), 0n);
}

function parseIp(text: string): CelIp | undefined {
  if (isIPv4(text)) return new CelIp(text, 32, octets(text));
  if (!isIPv6(text) || /^::ffff:\d+\./i.test(text)) return undefined;
  return new CelIp(text, 128, groups(text));
}

/** As Go writes an address: the longest run of zero groups is shortened, the first of equals. */
function canonical({ bits, value }: CelIp): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const parts = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const runs = [...parts.join(':').matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run);
  const longest = runs.sort((a, b) => b.replace(/^:/, '').length - a.replace(/^:/, '').length)[0];
  if (longest === undefined) return parts.join(':');
  const text = parts.join(':').replace(longest, longest.startsWith(':') ? '::' : ':');
  return text.replace(/:{2,}/, '::').replace(/^:(?!:)/, '::');
}

function ipOf(text: string): CelIp {
  return (
    parseIp(text) ??
    fail(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    )
  );
}

function parseCidr(text: string): CelCidr | undefined {
  const [, address = '', bits = ''] = /^([^/]*)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const ip = parseIp(address);
  return ip && bits !== '' && Number(bits) <= ip.bits ? new CelCidr(ip, Number(bits)) : undefined;
}

const cidrOf = (text: string): CelCidr =>
  parseCidr(text) ??
  fail(
    `network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix(${JSON.stringify(text)}): unable to parse`,
  );

const loopback = new CelCidr(new CelIp('127.0.0.0', 32, 127n << 24n), 8);
const within = (ip: CelIp, v4: string, v6: string): boolean => cidrOf(ip.bits === 32 ? v4 : v6).contains(ip);
const isLoopback = (ip: CelIp): boolean => (ip.bits === 32 ? loopback.contains(ip) : ip.value === 1n);
const isMulticast = (ip: CelIp): boolean => within(ip, '224.0.0.0/4', 'ff00::/8');
const isLinkLocal = (ip: CelIp): boolean => within(ip, '169.254.0.0/16', 'fe80::/10');
const isBroadcast = (ip: CelIp): boolean => ip.bits === 32 && ip.value === 0xffffffffn;
const isGlobal = (ip: CelIp): boolean =>
  ip.value !== 0n && !isBroadcast(ip) && !isLoopback(ip) && !isMulticast(ip) && !isLinkLocal(ip);

/** What Go's ParseRequestURI takes: an absolute URL, or a path. */
function parseUrl(text: string): CelUrl | undefined {
  if (text === '' || /\s/.test(text)) return undefined;
  if (text.startsWith('/'))
    return URL.canParse(text, 'path:')
      ? new CelUrl(new URL(text, 'path://'))
      : new CelUrl(new URL(`path://${text}`));
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) && URL.canParse(text) ? new CelUrl(new URL(text)) : undefined;
}

const urlOf = (text: string): CelUrl =>
  parseUrl(text) ??
  fail(
    `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
  );

function queryOf({ url }: CelUrl): Record<string, string[]> {
  const query = Object.create(null) as Record<string, string[]>;
  for (const key of new Set(url.searchParams.keys())) query[key] = url.searchParams.getAll(key);
  return query;
}

export function addNetwork(environment: Environment): void {
  environment.registerType('net.IP', CelIp as never);
  environment.registerType('net.CIDR', CelCidr as never);
  environment.registerType('kubernetes.URL', CelUrl as never);
  addNamespace(environment, 'ip', 'IpNamespace');
  for (const type of ['net.IP', 'net.CIDR', 'kubernetes.URL']) {
    environment.registerOperator(`${type} == ${type}`, (a: CelIp, b: CelIp) => a.equals(b));
    addAll(environment, { [`string(${type}): string`]: (value: object) => String(value) });
  }
  addAll(environment, {
    'ip(string): net.IP': ipOf,
    'isIP(string): bool': (text: string) => parseIp(text) !== undefined,
    'IpNamespace.isCanonical(string): bool': (_ip: object, text: string) => canonical(ipOf(text)) === text,
    'net.IP.family(): int': (ip: CelIp) => (ip.bits === 32 ? 4n : 6n),
    'net.IP.isUnspecified(): bool': (ip: CelIp) => ip.value === 0n,
    'net.IP.isLoopback(): bool': isLoopback,
    'net.IP.isLinkLocalMulticast(): bool': (ip: CelIp) => within(ip, '224.0.0.0/24', 'ff02::/16'),
    'net.IP.isLinkLocalUnicast(): bool': isLinkLocal,
    'net.IP.isGlobalUnicast(): bool': isGlobal,
    'cidr(string): net.CIDR': cidrOf,
    'isCIDR(string): bool': (text: string) => parseCidr(text) !== undefined,
    'net.CIDR.containsIP(string): bool': (cidr: CelCidr, ip: string) => cidr.contains(ipOf(ip)),
    'net.CIDR.containsIP(net.IP): bool': (cidr: CelCidr, ip: CelIp) => cidr.contains(ip),
    'net.CIDR.containsCIDR(string): bool': (cidr: CelCidr, other: string) => encloses(cidr, cidrOf(other)),
    'net.CIDR.containsCIDR(net.CIDR): bool': encloses,
    'net.CIDR.ip(): net.IP': ({ ip }: CelCidr) => ip,
    'net.CIDR.masked(): net.CIDR': (cidr: CelCidr) => {
      const bare = new CelIp('', cidr.ip.bits, cidr.base);
      return new CelCidr(new CelIp(canonical(bare), bare.bits, bare.value), cidr.prefix);
    },
    'net.CIDR.prefixLength(): int': ({ prefix }: CelCidr) => BigInt(prefix),
    'url(string): kubernetes.URL': urlOf,
    'isURL(string): bool': (text: string) => parseUrl(text) !== undefined,
    'kubernetes.URL.getScheme(): string': ({ url }: CelUrl) =>
      url.protocol === 'path:' ? '' : url.protocol.slice(0, -1),
    'kubernetes.URL.getHost(): string': ({ url }: CelUrl) => url.host,
    'kubernetes.URL.getHostname(): string': ({ url }: CelUrl) => url.hostname.replace(/^\[|\]$/g, ''),
    'kubernetes.URL.getPort(): string': ({ url }: CelUrl) => url.port,
    'kubernetes.URL.getEscapedPath(): string': ({ url }: CelUrl) => url.pathname,
    'kubernetes.URL.getQuery(): map<string, list<string>>': queryOf,
  });
}

const encloses = (outer: CelCidr, inner: CelCidr): boolean =>
  outer.contains(inner.ip) && inner.prefix >= outer.prefix;
