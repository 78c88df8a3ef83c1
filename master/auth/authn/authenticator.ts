/**
 * Who are you: what the connection proves, else the bearer token, asked of one way of knowing tokens after the other in
 * kube-apiserver's order: the administrator's, service accounts', bootstrap tokens, outside issuers, the webhook. Called by
 * the HTTP layer for every request, and for tokens by TokenReview.
 *
 * A certificate wins over a token, as in kube-apiserver. Nothing is looked up for a certificate or the administrator's
 * token, so these answers are there at once. A token never appears in a log.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Client } from '../../../src/client/client.js';
import type { Clock } from '../../../src/host/clock.js';
import { type Logger, silentLogger } from '../../../src/host/log.js';
import type { User } from '../../registry/registry.js';
import type { Authenticator, Credentials, TokenAuthenticator, TokenIdentity } from '../auth.js';
import { createBootstrapTokens } from './bootstraptoken.js';
import { identifyBoundToken } from './boundtoken.js';
import { looksLikeJwt, type TokenIssuer } from './issuer.js';
import { createLegacyTokens } from './legacytoken.js';

/** One way of knowing tokens; `undefined` for those it does not know, for any reason. */
export type TokenSource = TokenAuthenticator['authenticateToken'];

export interface AuthenticatorOptions {
  adminToken: string;
  /** Reads the bootstrap tokens, and what tokens of service accounts are bound to. */
  client: Pick<Client, 'get' | 'patch'>;
  clock: Pick<Clock, 'now'>;
  log?: Logger;
  /** Of the tokens of service accounts; none of them is known without. */
  issuer?: TokenIssuer;
  /** Asked last, in this order. */
  others?: readonly TokenSource[];
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator & TokenAuthenticator {
  const { adminToken, client, clock, issuer, log = silentLogger } = options;
  const own = issuer?.audiences ?? [];
  const adminHash = hash(adminToken);
  const isAdmin = (token: string): boolean => timingSafeEqual(hash(token), adminHash);
  const sources: TokenSource[] = [
    ofApiServer(own, async (token) => (isAdmin(token) ? administrator : undefined)),
    ...(issuer ? serviceAccountTokens({ issuer, client, clock, log }) : []),
    ofApiServer(own, createBootstrapTokens({ client, clock })),
    ...(options.others ?? []),
  ];

  const authenticateToken: TokenSource = async (token, audiences) => {
    for (const source of sources) {
      const found = await source(token, audiences);
      if (found) return found;
    }
    return undefined;
  };

  return {
    authenticateToken,
    authenticate({ certificate, bearerToken }) {
      if (certificate) return userOfCertificate(certificate);
      if (!bearerToken) return undefined;
      if (isAdmin(bearerToken)) return administrator;
      return authenticateToken(bearerToken).then((found) => found?.user);
    },
  };
}

interface ServiceAccountTokens {
  issuer: TokenIssuer;
  client: Pick<Client, 'get' | 'patch'>;
  clock: Pick<Clock, 'now'>;
  log: Logger;
}

function serviceAccountTokens({ issuer, client, clock, log }: ServiceAccountTokens): TokenSource[] {
  const legacy = ofApiServer(issuer.audiences, createLegacyTokens({ issuer, client, clock, log }));
  const bound: TokenSource = (token, audiences) =>
    identifyBoundToken({ issuer, client, clock }, token, audiences);
  return [bound, legacy].map(
    (source): TokenSource =>
      async (token, audiences) =>
        looksLikeJwt(token) ? source(token, audiences) : undefined,
  );
}

/** Of tokens that say nothing of audiences: they are for this API server. */
export function ofApiServer(
  own: readonly string[],
  find: (token: string) => Promise<User | undefined>,
): TokenSource {
  return async (token, wanted): Promise<TokenIdentity | undefined> => {
    const audiences = wanted ? own.filter((audience) => wanted.includes(audience)) : own;
    if (wanted && audiences.length === 0) return undefined;
    const user = await find(token);
    return user && { user, audiences };
  };
}

/** Whoever is known is in the group of those who are. */
export const authenticated = (user: User): User => ({
  ...user,
  groups: [...user.groups.filter((group) => group !== 'system:authenticated'), 'system:authenticated'],
});

const userOfCertificate = ({
  commonName: name,
  organizations: groups,
  sha256,
}: NonNullable<Credentials['certificate']>): User =>
  authenticated({
    name,
    groups,
    ...(sha256 && { extra: { [credentialId]: [`X509SHA256=${sha256}`] } }),
  });

const credentialId = 'authentication.kubernetes.io/credential-id';

const administrator = authenticated({ name: 'kubernetes-admin', groups: ['system:masters'] });

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
