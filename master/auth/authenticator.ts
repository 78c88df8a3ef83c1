/**
 * Who are you: the verified client certificate, else the bearer token (the administrator's, a service account's, or a
 * bootstrap token of a joining host). Called by the HTTP layer for every request, and for tokens by TokenReview. A
 * certificate wins over a token, as in kube-apiserver.
 *
 * Tokens are compared as hashes in constant time. Bootstrap tokens are the Secrets that Kubernetes documents:
 * `bootstrap-token-<id>` in kube-system, type bootstrap.kubernetes.io/token.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isReason } from '../../src/api/errors.js';
import { secrets } from '../../src/api/kinds.js';
import type { Secret } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import type { User } from '../registry/registry.js';
import type { Authenticator, TokenAuthenticator } from './auth.js';
import { identifyBoundToken } from './boundtoken.js';
import { looksLikeJwt, type TokenIssuer } from './issuer.js';
import { bootstrapNamespace, bootstrapSecretName, bootstrapSecretType } from './token.js';

export interface AuthenticatorOptions {
  adminToken: string;
  /** Reads the bootstrap tokens, and what tokens of service accounts are bound to. */
  client: Pick<Client, 'get'>;
  clock: Pick<Clock, 'now'>;
  /** Of the tokens of service accounts; none of them is known without. */
  issuer?: TokenIssuer;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator & TokenAuthenticator {
  const { adminToken, client, clock, issuer } = options;
  const adminHash = hash(adminToken);

  async function bootstrapUser(token: string): Promise<User | undefined> {
    const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
    if (!id || !secret) return undefined;
    try {
      const ref = { namespace: bootstrapNamespace, name: bootstrapSecretName(id) };
      const stored = await client.get(secrets, ref);
      return isValidToken(stored, { id, secret }, clock.now()) ? userOfToken(id, stored) : undefined;
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  const isAdmin = (token: string): boolean => timingSafeEqual(hash(token), adminHash);

  return {
    authenticate({ certificate, bearerToken }) {
      if (certificate) return authenticated(certificate.commonName, certificate.organizations);
      if (!bearerToken) return undefined;
      if (isAdmin(bearerToken)) return administrator;
      if (issuer && looksLikeJwt(bearerToken))
        return identifyBoundToken({ issuer, client, clock }, bearerToken).then((found) => found?.user);
      return bootstrapUser(bearerToken);
    },
    async authenticateToken(token, audiences) {
      if (issuer && looksLikeJwt(token))
        return identifyBoundToken({ issuer, client, clock }, token, audiences);
      const own = issuer?.audiences ?? [];
      // These say nothing of audiences: they are for this API server.
      const wanted = audiences ? own.filter((audience) => audiences.includes(audience)) : own;
      if (audiences && wanted.length === 0) return undefined;
      const user = isAdmin(token) ? administrator : await bootstrapUser(token);
      return user && { user, audiences: wanted };
    },
  };
}

/** Pure: whether the Secret stands for this token, now. */
export function isValidToken(stored: Secret, token: { id: string; secret: string }, now: Date): boolean {
  const expiration = field(stored, 'expiration');
  return (
    stored.type === bootstrapSecretType &&
    !stored.metadata.deletionTimestamp &&
    field(stored, 'token-id') === token.id &&
    timingSafeEqual(hash(field(stored, 'token-secret')), hash(token.secret)) &&
    field(stored, 'usage-bootstrap-authentication') === 'true' &&
    // A date that cannot be read is no date in the future.
    (expiration === '' || Date.parse(expiration) > now.getTime())
  );
}

function userOfToken(id: string, stored: Secret): User {
  const extra = field(stored, 'auth-extra-groups').split(',');
  const groups = extra
    .map((group) => group.trim())
    .filter((group) => group.startsWith('system:bootstrappers:'));
  return authenticated(`system:bootstrap:${id}`, ['system:bootstrappers', ...groups]);
}

const authenticated = (name: string, groups: readonly string[]): User => ({
  name,
  groups: [...groups.filter((group) => group !== 'system:authenticated'), 'system:authenticated'],
});

const administrator = authenticated('kubernetes-admin', ['system:masters']);

const field = (secret: Secret, name: string): string =>
  Buffer.from(secret.data?.[name] ?? '', 'base64').toString();

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
