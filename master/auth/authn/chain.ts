/**
 * Whether a client's certificate was issued by one of some authorities, and for how long that holds. Pure. Called by the
 * HTTP layer once per connection: the TLS library says only that one of all authorities is behind a certificate, not which.
 */
import { X509Certificate } from 'node:crypto';
import { pemBlocks } from '../../../src/host/pem.js';

/** Milliseconds since 1970. */
export interface Validity {
  fromMs: number;
  untilMs: number;
}

/** The certificates of a PEM text; there may be several while an authority is being replaced. */
export const readAuthorities = (pem: string): X509Certificate[] =>
  pemBlocks(pem, 'CERTIFICATE').map((block) => new X509Certificate(block));

const clientAuth = '1.3.6.1.5.5.7.3.2';
const anyUse = '2.5.29.37.0';
/** Between a client and an authority. */
const maxIntermediates = 4;

/**
 * When `leaf`, and every certificate between it and one of `authorities`, is valid; `undefined` when there is no way to one
 * of them, or the certificate is not one for clients. `presented` may stand in between.
 */
export function issuedByOneOf(
  authorities: readonly X509Certificate[],
  leaf: X509Certificate,
  presented: readonly X509Certificate[] = [],
): Validity | undefined {
  const uses: readonly string[] | undefined = leaf.keyUsage;
  if (uses?.length && !uses.includes(clientAuth) && !uses.includes(anyUse)) return undefined;
  return longestWay(authorities, leaf, presented, maxIntermediates);
}

function longestWay(
  authorities: readonly X509Certificate[],
  certificate: X509Certificate,
  presented: readonly X509Certificate[],
  left: number,
): Validity | undefined {
  const own = validityOf(certificate);
  const direct = authorities.filter((one) => isIssuedBy(certificate, one)).map(validityOf);
  const others = left > 0 ? presented.filter((one) => isIssuedBy(certificate, one)) : [];
  const further = others.flatMap(
    (one) => longestWay(authorities, one, without(presented, one), left - 1) ?? [],
  );
  const [longest] = [...direct, ...further]
    .map((above) => overlap(own, above))
    .sort((a, b) => b.untilMs - a.untilMs);
  return longest;
}

/** Names and key identifiers, the right to sign, and the signature itself. */
const isIssuedBy = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);

const without = <T>(all: readonly T[], one: T): T[] => all.filter((other) => other !== one);

const validityOf = ({ validFrom, validTo }: X509Certificate): Validity => ({
  fromMs: Date.parse(validFrom),
  untilMs: Date.parse(validTo),
});

const overlap = (a: Validity, b: Validity): Validity => ({
  fromMs: Math.max(a.fromMs, b.fromMs),
  untilMs: Math.min(a.untilMs, b.untilMs),
});
