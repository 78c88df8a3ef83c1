/**
 * Flags as both roles read them: strings by camel-case name in, checked values out. Every refusal is an `Error` that names
 * the flag, the value and what would be right, and can be shown as it is. Called by `parseMasterOptions` and
 * `parseAgentOptions`, which say what each flag means.
 */
import { parseDuration } from '../api/duration.js';
import { overlaps, parseCidr, sizeOf } from '../net/cidr.js';
import { isIp } from '../net/ip.js';
import type { LogLevel } from './log.js';

export type RawFlags = Readonly<Record<string, string>>;

const camel = (flag: string): string =>
  flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The flag's value; an empty one counts as absent. */
export const given = (raw: RawFlags, flag: string): string | undefined =>
  raw[camel(flag)]?.trim() || undefined;

export const wrongFlag = (flag: string, value: string, right: string): Error =>
  new Error(`--${flag}: ${JSON.stringify(value)} ${right}`);

/** What `parse` makes of the value; its error gets the flag's name in front. */
export function parsedFlag<T>(raw: RawFlags, flag: string, parse: (text: string) => T, otherwise: T): T {
  const value = given(raw, flag);
  if (value === undefined) return otherwise;
  try {
    return parse(value);
  } catch (error) {
    throw new Error(`--${flag}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Milliseconds. */
export const durationFlag = (raw: RawFlags, flag: string, otherwise: string): number =>
  parsedFlag(raw, flag, parseDuration, parseDuration(otherwise));

/** Without a slash at its end. */
export function pathFlag(raw: RawFlags, flag: string, otherwise: string): string {
  const value = given(raw, flag) ?? otherwise;
  if (!value.startsWith('/') || value.includes('\0') || value.split('/').includes('..')) {
    throw wrongFlag(flag, value, 'must be an absolute path');
  }
  return value.length > 1 ? value.replace(/\/+$/, '') : value;
}

export function ipFlag(raw: RawFlags, flag: string): string | undefined {
  const value = given(raw, flag);
  if (value !== undefined && !isIp(value)) throw wrongFlag(flag, value, 'is no IP address');
  return value;
}

export function numberFlag(
  raw: RawFlags,
  flag: string,
  range: { otherwise: number; from: number; to: number },
): number {
  const value = given(raw, flag);
  if (value === undefined) return range.otherwise;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
  if (number < range.from || number > range.to) {
    throw wrongFlag(flag, value, `must be a number from ${range.from} to ${range.to}`);
  }
  return number;
}

export const portFlag = (raw: RawFlags, flag: string, otherwise: number): number =>
  numberFlag(raw, flag, { otherwise, from: 1, to: 65535 });

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

export function logLevelFlag(raw: RawFlags): LogLevel {
  const value = given(raw, 'log-level') ?? 'info';
  const level = logLevels.find((known) => known === value);
  if (!level) throw wrongFlag('log-level', value, `is unknown; take one of ${logLevels.join(', ')}`);
  return level;
}

/** Smaller networks leave no room for anything beside the API's own Service. */
const minAddresses = 8n;

/** The two networks of a cluster; both roles must be given the same. */
export function networkFlags(raw: RawFlags): { clusterCidr: string; serviceCidr: string } {
  const clusterCidr = cidrFlag(raw, 'cluster-cidr', '10.244.0.0/16');
  const serviceCidr = cidrFlag(raw, 'service-cidr', '10.96.0.0/12');
  const [pods, services] = [parseCidr(clusterCidr), parseCidr(serviceCidr)];
  if (pods && services && overlaps(pods, services)) {
    throw wrongFlag(
      'service-cidr',
      serviceCidr,
      `overlaps with --cluster-cidr ${JSON.stringify(clusterCidr)}`,
    );
  }
  return { clusterCidr, serviceCidr };
}

function cidrFlag(raw: RawFlags, flag: string, otherwise: string): string {
  const value = given(raw, flag) ?? otherwise;
  const parsed = parseCidr(value, true);
  if (!parsed) throw wrongFlag(flag, value, `is no network; write it like ${otherwise}, without host bits`);
  if (sizeOf(parsed) < minAddresses) throw wrongFlag(flag, value, 'is too small; take at least 8 addresses');
  return value;
}
