/**
 * An outside issuer of tokens, as it works: made from `--oidc-...` here, or from an AuthenticationConfiguration by
 * `structured.ts`. Pure.
 */
import type { Program } from '../../../src/api/cel/program.js';
import type { OidcFlags } from './oidcflags.js';

export interface JwtIssuer {
  /** What `iss` must be. */
  url: string;
  discoveryUrl: string;
  /** PEM; the host's authorities when absent. */
  ca: string | undefined;
  /** One of them must be in `aud`. */
  audiences: readonly string[];
  algorithms: readonly string[];
  /** Claims that must have these values. */
  requiredClaims: Readonly<Record<string, string>>;
  /** Over `claims`; each must be true. */
  claimRules: readonly Rule[];
  username: Mapping;
  groups: Mapping | undefined;
  uid: Mapping | undefined;
  extra: readonly { key: string; value: Program }[];
  /** Over `user`; each must be true. */
  userRules: readonly Rule[];
}

export interface Rule {
  program: Program;
  message: string;
}

/** A claim of the token, or an expression over `claims`. */
export type Mapping = { claim: string; prefix: string } | { program: Program };

export const discoveryUrlOf = (issuer: string): string =>
  `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;

export const issuerOfFlags = (flags: OidcFlags, ca: string | undefined): JwtIssuer => ({
  url: flags.issuerUrl,
  discoveryUrl: discoveryUrlOf(flags.issuerUrl),
  ca,
  audiences: [flags.clientId],
  algorithms: flags.signingAlgorithms,
  requiredClaims: flags.requiredClaims,
  claimRules: [],
  username: { claim: flags.usernameClaim, prefix: flags.usernamePrefix },
  groups:
    flags.groupsClaim === undefined ? undefined : { claim: flags.groupsClaim, prefix: flags.groupsPrefix },
  uid: undefined,
  extra: [],
  userRules: [],
});
