/**
 * Signs and verifies the tokens of service accounts (JWT, ES256), and publishes the key as OpenID Connect documents, so
 * that others can verify them too. Called by the token subresource, the authenticator and the HTTP layer.
 *
 * Verifying a signature costs 0.3 ms: tokens that were good are remembered by their hash until they expire.
 */
import { createHash, createPrivateKey, createPublicKey, randomUUID } from 'node:crypto';
import { errors, exportJWK, importPKCS8, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../../src/host/clock.js';
import { claimsFor, readClaims, type TokenClaims, type TokenSubject } from './claims.js';

/** What `iss` and, without a wish, `aud` are: the API server's name inside the cluster. */
export const defaultIssuer = 'https://kubernetes.default.svc.cluster.local';

export interface TokenIssuer {
  /** Audiences of tokens for this API server. */
  readonly audiences: readonly string[];
  issue(subject: TokenSubject): Promise<string>;
  /** `undefined` for what this key did not sign, or not for now; who the audience is, is the caller's to check. */
  verify(token: string): Promise<TokenClaims | undefined>;
  /** Body by path. */
  readonly documents: ReadonlyMap<string, { contentType: string; body: string }>;
}

export interface TokenIssuerOptions {
  /** PKCS#8 PEM, P-256. */
  key: string;
  issuer?: string;
  /** host:port where others find the documents. */
  address: string;
  clock: Pick<Clock, 'now'>;
}

const algorithm = 'ES256';
const keysPath = '/openid/v1/jwks';
const maxRemembered = 4096;

export async function createTokenIssuer(options: TokenIssuerOptions): Promise<TokenIssuer> {
  const { clock, issuer = defaultIssuer } = options;
  const key = await importPKCS8(options.key, algorithm);
  const publicKey = createPublicKey(createPrivateKey(options.key));
  const kid = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  const published = { use: 'sig', ...(await exportJWK(publicKey)), kid, alg: algorithm };
  /** Claims by the token's hash, the longest unused first. */
  const good = new Map<string, TokenClaims>();

  function remembered(hash: string): TokenClaims | undefined {
    const claims = good.get(hash);
    if (!claims) return undefined;
    good.delete(hash);
    if (claims.exp * 1000 <= clock.now().getTime()) return undefined;
    good.set(hash, claims);
    return claims;
  }

  function remember(hash: string, claims: TokenClaims): void {
    good.set(hash, claims);
    const [oldest] = good.keys();
    if (good.size > maxRemembered && oldest !== undefined) good.delete(oldest);
  }

  return {
    audiences: [issuer],
    issue: (subject) =>
      new SignJWT({ ...claimsFor(subject, { issuer, id: randomUUID(), now: clock.now() }) })
        .setProtectedHeader({ alg: algorithm, kid })
        .sign(key),
    async verify(token) {
      const hash = createHash('sha256').update(token).digest('base64');
      const known = remembered(hash);
      if (known) return known;
      try {
        const rules = { issuer, algorithms: [algorithm], currentDate: clock.now() };
        const { payload } = await jwtVerify(token, publicKey, rules);
        const claims = readClaims(payload);
        if (claims) remember(hash, claims);
        return claims;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
    documents: new Map([
      [
        '/.well-known/openid-configuration',
        {
          contentType: 'application/json',
          body: JSON.stringify({
            issuer,
            jwks_uri: `https://${options.address}${keysPath}`,
            response_types_supported: ['id_token'],
            subject_types_supported: ['public'],
            id_token_signing_alg_values_supported: [algorithm],
          }),
        },
      ],
      [keysPath, { contentType: 'application/jwk-set+json', body: JSON.stringify({ keys: [published] }) }],
    ]),
  };
}

/** Cheap: whether it is worth trying to verify. */
export const looksLikeJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
