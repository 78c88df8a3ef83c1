/** The flags of `wherry master` about certificates, checked. Called by `master/options.ts`. */
import { durationFlag, given, type RawFlags, wrongFlag } from '../../src/host/config.js';
import { isIp } from '../../src/net/ip.js';

export interface CertificateOptions {
  /** Of what the master issues for itself. */
  lifetimeMs: number;
  /** The longest that a signed request gets, and what it gets when it names nothing. */
  signingDurationMs: number;
  /** What else clients call the API server. */
  tlsSans: { dnsNames: readonly string[]; ips: readonly string[] };
}

const year = '8760h';
/** Shorter ones would be renewed all the time. */
const minLifetimeMs = 60_000;

export function certificateOptions(raw: RawFlags): CertificateOptions {
  const lifetimeMs = lifetimeFlag(raw, 'certificate-lifetime', year);
  return {
    lifetimeMs,
    signingDurationMs: lifetimeFlag(raw, 'cluster-signing-duration', `${lifetimeMs / 1000}s`),
    tlsSans: tlsSans(raw),
  };
}

function lifetimeFlag(raw: RawFlags, flag: string, otherwise: string): number {
  const lifetimeMs = durationFlag(raw, flag, otherwise);
  if (lifetimeMs < minLifetimeMs)
    throw wrongFlag(flag, given(raw, flag) ?? '', 'is too short; take at least 1m');
  return lifetimeMs;
}

const dnsName =
  /^(?:\*\.)?(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*$/;

function tlsSans(raw: RawFlags): CertificateOptions['tlsSans'] {
  const names = (given(raw, 'tls-san') ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  const ips = names.filter(isIp);
  const dnsNames = names.filter((name) => !isIp(name));
  const wrong = dnsNames.find((name) => name.length > 253 || !dnsName.test(name));
  if (wrong !== undefined) throw wrongFlag('tls-san', wrong, 'is neither a DNS name nor an IP address');
  return { dnsNames, ips };
}
