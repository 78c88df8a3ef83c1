/**
 * `--oidc-...`: one outside issuer, as flags. They say the same as an entry under `jwt` of an AuthenticationConfiguration,
 * and are made one. Pure. Called by `options.ts`.
 */
import { given, type RawFlags, wrongFlag } from '../../../src/host/config.js';
import { listFlag, optionalPath, requireHttps } from './flagvalues.js';

export interface OidcFlags {
  issuerUrl: string;
  clientId: string;
  usernameClaim: string;
  usernamePrefix: string;
  groupsClaim: string | undefined;
  groupsPrefix: string;
  requiredClaims: Readonly<Record<string, string>>;
  caFile: string | undefined;
  signingAlgorithms: readonly string[];
}

/** The asymmetric ones: with others whoever can verify could sign, too. */
export const knownAlgorithms: readonly string[] = [
  ...['RS256', 'RS384', 'RS512'],
  ...['ES256', 'ES384', 'ES512'],
  ...['PS256', 'PS384', 'PS512'],
];

export function oidcFlags(raw: RawFlags): OidcFlags | undefined {
  const issuerUrl = given(raw, 'oidc-issuer-url');
  const clientId = given(raw, 'oidc-client-id');
  if (!issuerUrl && !clientId) return undefined;
  if (!issuerUrl || !clientId)
    throw new Error('--oidc-issuer-url and --oidc-client-id must be given together');
  requireHttps('oidc-issuer-url', issuerUrl);
  const usernameClaim = given(raw, 'oidc-username-claim') ?? 'sub';
  const signingAlgorithms = listFlag(raw, 'oidc-signing-algs') ?? ['RS256'];
  const unknown = signingAlgorithms.find((algorithm) => !knownAlgorithms.includes(algorithm));
  if (unknown)
    throw wrongFlag('oidc-signing-algs', unknown, `is unknown; take some of ${knownAlgorithms.join(', ')}`);
  return {
    issuerUrl,
    clientId,
    usernameClaim,
    usernamePrefix: usernamePrefix(given(raw, 'oidc-username-prefix'), usernameClaim, issuerUrl),
    groupsClaim: given(raw, 'oidc-groups-claim'),
    groupsPrefix: given(raw, 'oidc-groups-prefix') ?? '',
    requiredClaims: requiredClaims(raw),
    caFile: optionalPath(raw, 'oidc-ca-file'),
    signingAlgorithms,
  };
}

/** Names of an issuer must not be taken for those of others: only addresses are without a prefix by default. */
function usernamePrefix(wanted: string | undefined, claim: string, issuerUrl: string): string {
  if (wanted === '-') return '';
  return wanted ?? (claim === 'email' ? '' : `${issuerUrl}#`);
}

function requiredClaims(raw: RawFlags): Record<string, string> {
  const pairs = (listFlag(raw, 'oidc-required-claim') ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw wrongFlag('oidc-required-claim', text, 'must be written claim=value');
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return Object.fromEntries(pairs);
}
