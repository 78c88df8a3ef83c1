/** Names and addresses that only some kinds have: path segments, wildcard hosts, domain-prefixed paths, networks. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors } from '../../../src/api/names.js';
import { formatCidr, parseCidr } from '../../../src/net/cidr.js';
import { formatIp, parseIp } from '../../../src/net/ip.js';
import { allInvalid, invalidValue, required, tooLong } from '../validation/field.js';
import { validIp } from './podspec.js';

/** Names of RBAC objects: whatever can stand between two slashes of a URL. */
export function pathSegmentErrors(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%']
    .filter((illegal) => name.includes(illegal))
    .map((illegal) => `may not contain '${illegal}'`);
}

const wildcardFormat = '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const wildcard = new RegExp(`^${wildcardFormat}$`);
const wildcardText = `a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '${wildcardFormat}')`;

/** Hosts of an Ingress: a DNS name, whose first label may be a star. */
export function hostErrors(host: string): string[] {
  if (!host.includes('*')) return dnsSubdomainErrors(host);
  return wildcard.test(host) ? [] : [wildcardText];
}

const pathFormat = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const path = new RegExp(`^${pathFormat}$`);

/** `example.com/name`, as controllers of IngressClasses are called. */
export function validateDomainPath(field: string, value: string): FieldError[] {
  if (value === '') return [required(field)];
  const slash = value.indexOf('/');
  if (slash <= 0 || slash === value.length - 1)
    return [invalidValue(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')];
  const [host, rest] = [value.slice(0, slash), value.slice(slash + 1)];
  const errors = allInvalid(field, host, dnsSubdomainErrors(host));
  if (path.test(rest)) return errors;
  return [
    ...errors,
    invalidValue(field, rest, `Invalid path (regex used for validation is '${pathFormat}')`),
  ];
}

export const validCidr = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)';

/** What is wrong with an address that must be written as Kubernetes itself writes it. */
export function canonicalIpErrors(text: string): string[] {
  const ip = parseIp(text);
  if (!ip) return [validIp];
  const canonical = formatIp(ip);
  return canonical === text ? [] : [`must be in canonical form ("${canonical}")`];
}

export function canonicalCidrErrors(text: string): string[] {
  const cidr = parseCidr(text);
  if (!cidr) return [validCidr];
  const canonical = formatCidr(cidr);
  return canonical === text ? [] : [`must be in canonical form ("${canonical}")`];
}

const maxDriverBytes = 63;

/** Names of CSI drivers, which may have capitals. */
export function validateDriverName(field: string, name: string): FieldError[] {
  return [
    ...(name === '' ? [required(field)] : []),
    ...(name.length > maxDriverBytes ? [tooLong(field, maxDriverBytes)] : []),
    ...allInvalid(field, name, dnsSubdomainErrors(name.toLowerCase())),
  ];
}

/** Addresses that mean something else on every host: no endpoint and no external address can be one. */
export function specialIpErrors(text: string): string[] {
  const ip = parseIp(text);
  if (!ip) return ['must be a valid IP address'];
  const { family, value } = ip;
  const bits = (count: number): number => Number(value >> BigInt((family === 4 ? 32 : 128) - count));
  const isLoopback = family === 4 ? bits(8) === 127 : value === 1n;
  const isLinkLocal = family === 4 ? bits(16) === 0xa9fe : bits(10) === 0xfe80 >> 6;
  const isLocalMulticast = family === 4 ? bits(24) === 0xe00000 : bits(16) === 0xff02;
  return [
    ...(value === 0n ? ['may not be unspecified (0.0.0.0 or ::)'] : []),
    ...(isLoopback ? ['may not be in the loopback range (127.0.0.0/8, ::1/128)'] : []),
    ...(isLinkLocal ? ['may not be in the link-local range (169.254.0.0/16, fe80::/10)'] : []),
    ...(isLocalMulticast ? ['may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'] : []),
  ];
}
