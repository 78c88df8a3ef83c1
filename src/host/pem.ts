/**
 * Reading certificates with what Node has built in (no library, no I/O). Called by the master's PKI, the agent's join
 * and the CLI.
 */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';

/** SHA-256 of the certificate (DER) in lowercase hex: what a join token pins. Takes PEM or DER. */
export const certificateHash = (certificate: string | Buffer): string =>
  createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');

/** The certificate's part of its lifetime that has passed: below 0 not yet valid, above 1 expired. */
export function lifetimePassed(certificate: string, now: Date): number {
  const { from, to } = validity(certificate);
  return (now.getTime() - from) / (to - from);
}

/** When that part of the lifetime will have passed, in milliseconds since the epoch. */
export function lifetimePoint(certificate: string, part: number): number {
  const { from, to } = validity(certificate);
  return from + (to - from) * part;
}

function validity(certificate: string): { from: number; to: number } {
  const parsed = new X509Certificate(certificate);
  return { from: Date.parse(parsed.validFrom), to: Date.parse(parsed.validTo) };
}

/** Whether a server with this certificate may call itself all of these. */
export function coversNames(
  certificate: string,
  dnsNames: readonly string[],
  ips: readonly string[],
): boolean {
  const parsed = new X509Certificate(certificate);
  return (
    dnsNames.every((name) => parsed.checkHost(name, { subject: 'never' }) !== undefined) &&
    ips.every((ip) => parsed.checkIP(ip) !== undefined)
  );
}

/** The blocks of one kind of a PEM text: `CERTIFICATE`, `PRIVATE KEY`. */
export const pemBlocks = (text: string, kind: string): string[] =>
  text.match(new RegExp(`-----BEGIN ${kind}-----[^-]*-----END ${kind}-----\\n?`, 'g')) ?? [];

export const toPem = (der: Buffer): string => new X509Certificate(der).toString();

export const matchesKey = (certificate: string, key: string): boolean =>
  new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));

export const isIssuedBy = (certificate: string | Buffer, authority: string): boolean =>
  new X509Certificate(certificate).verify(new X509Certificate(authority).publicKey);

/** Whether the text is a certificate. */
export const isReadable = (certificate: string): boolean =>
  canBe(() => new X509Certificate(certificate).raw.length > 0);

/** Whether the text is a private key. */
export const isReadableKey = (key: string): boolean => canBe(() => createPrivateKey(key).type === 'private');

/** OpenSSL's errors have codes. */
function canBe(read: () => boolean): boolean {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

/** Whether one of the authorities of a bundle issued it. */
export const isIssuedByOneOf = (certificate: string | Buffer, bundle: string): boolean =>
  pemBlocks(bundle, 'CERTIFICATE').some((authority) => isIssuedBy(certificate, authority));

/** The common name of its subject. */
export const commonNameOf = (certificate: string): string =>
  /^CN=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1] ?? '';
