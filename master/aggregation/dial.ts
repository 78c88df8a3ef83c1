/**
 * 1. The TLS side of a call to a server that somebody registered (webhook, conversion, aggregated API): whom to trust and
 * which name to expect, and Go's words for what goes wrong, which operators search for.
 */
import type { ConnectionOptions } from 'node:tls';
import type { Address, ServiceTarget } from './services.js';

export interface Trust {
  /** PEM in base64, as in `caBundle`; the system's authorities when absent. */
  caBundle?: string | undefined;
  insecureSkipTLSVerify?: boolean | undefined;
}

/** The name in the certificate of what a Service stands for. */
export const serverNameOf = ({ name, namespace }: ServiceTarget): string => `${name}.${namespace}.svc`;

export function tlsOf(trust: Trust, servername: string): ConnectionOptions {
  return {
    servername,
    ...(trust.caBundle && { ca: Buffer.from(trust.caBundle, 'base64').toString() }),
    ...(trust.insecureSkipTLSVerify && { rejectUnauthorized: false }),
  };
}

const unknownAuthorities: readonly string[] = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
];
const expired: readonly string[] = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

/** What went wrong on the way to `address`. */
export function dialText(error: unknown, address: Address | undefined): string {
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  const dial = address
    ? `dial tcp ${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
    : 'dial tcp';
  if (code === 'ECONNREFUSED') return `${dial}: connect: connection refused`;
  if (code === 'EHOSTUNREACH') return `${dial}: connect: no route to host`;
  if (code === 'ENETUNREACH') return `${dial}: connect: network is unreachable`;
  if (code === 'ETIMEDOUT') return `${dial}: i/o timeout`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${address?.host}: no such host`;
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'EOF';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `tls: failed to verify certificate: x509: ${message}`;
  if (unknownAuthorities.includes(code))
    return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
  if (expired.includes(code))
    return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
  return message;
}
