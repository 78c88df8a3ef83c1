/**
 * Signs and verifies the tokens of service accounts (JWT), and publishes the keys as OpenID Connect documents, so that
 * others can verify them too. Called by the token subresource, the authenticator and the HTTP layer.
 *
 * A token is verified with the key it names and by that key's own algorithm, whatever else its header says. Verifying
 * costs 0.3 ms: tokens that were good are remembered by their hash until they expire or the keys change.
 */
import { createHash, randomUUID } from 'node:crypto';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { ObjectMeta } from '../../../src/api/types.js';
import type { Clock } from '../../../src/host/clock.js';
import {
  claimsFor,
  type LegacyClaims,
  legacyClaimsFor,
  legacyIssuer,
  readClaims,
  readLegacyClaims,
  type TokenClaims,
  type TokenSubject,
} from '../claims.js';
import { jwkOf, type KeySet } from './keys.js';

/** What `iss` and, without a wish, `aud` are: the API server's name inside the cluster. */
export const defaultIssuer = 'https://kubernetes.default.svc.cluster.local';

export interface TokenDocument {
  contentType: string;
  body: string;
}

export interface TokenIssuer {
  /** Audiences of tokens for this API server. */
  readonly audiences: readonly string[];
  /** No token of a TokenRequest is good for longer. */
  readonly maxExpirationSeconds: number | undefined;
  issue(subject: TokenSubject): Promise<string>;
  /** The token of a Secret: it names no audience and does not expire. */
  issueLegacy(serviceAccount: ObjectMeta, secretName: string): Promise<string>;
  /** `undefined` for what our keys did not sign, or not for now; who the audience is, is the caller's to check. */
  verify(token: string): Promise<TokenClaims | undefined>;
  /** The same for tokens of Secrets; whether the Secret is still there is the caller's to check. */
  verifyLegacy(token: string): Promise<LegacyClaims | undefined>;
  /** By path. */
  readonly documents: ReadonlyMap<string, () => TokenDocument>;
}

export interface TokenIssuerOptions {
  keys: () => KeySet;
  /** The first one signs, all are taken; `defaultIssuer` by default. */
  issuers?: readonly string[];
  /** The issuers by default. */
  audiences?: readonly string[];
  /** host:port where others find the documents. */
  address: string;
  /** Where else they find the keys. */
  jwksUri?: string | undefined;
  maxExpirationSeconds?: number | undefined;
  /** Whether pods' tokens live on for a year, for programs that read theirs once; true by default. */
  extendExpiration?: boolean;
  clock: Pick<Clock, 'now'>;
}

const keysPath = '/openid/v1/jwks';
const maxRemembered = 4096;
/** Of another master whose clock is ahead; nothing is good past its end. */
const notBeforeLeewaySeconds = 60;

export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { clock, issuers = [defaultIssuer] } = options;
  const { audiences = issuers, extendExpiration = true } = options;
  const issuer = issuers[0] ?? defaultIssuer;
  /** Payloads by the token's hash, the longest unused first; good with these keys only. */
  const good = new Map<string, JWTPayload>();
  let goodWith: KeySet | undefined;

  function currentKeys(): KeySet {
    const keys = options.keys();
    if (keys !== goodWith) good.clear();
    goodWith = keys;
    return keys;
  }

  function sign(payload: object): Promise<string> {
    const { kid, alg, privateKey } = currentKeys().signer;
    return new SignJWT({ ...payload }).setProtectedHeader({ alg, kid }).sign(privateKey);
  }

  function remember(hash: string, payload: JWTPayload): void {
    good.delete(hash);
    good.set(hash, payload);
    const [oldest] = good.keys();
    if (good.size > maxRemembered && oldest !== undefined) good.delete(oldest);
  }

  /** Of a token that one of our keys signed and that is good now. */
  async function payloadOf(token: string): Promise<JWTPayload | undefined> {
    const keys = currentKeys();
    const hash = createHash('sha256').update(token).digest('base64');
    const payload = good.get(hash) ?? (await verified(token, keys, clock.now()));
    if (!payload) return undefined;
    if (isOver(payload, clock.now())) {
      good.delete(hash);
      return undefined;
    }
    if (keys === goodWith) remember(hash, payload);
    return payload;
  }

  return {
    audiences,
    maxExpirationSeconds: options.maxExpirationSeconds,
    issue(subject) {
      const isOurs = subject.audiences.every((audience) => audiences.includes(audience));
      const made = { issuer, id: randomUUID(), now: clock.now(), mayExtend: extendExpiration && isOurs };
      return sign(claimsFor(subject, made));
    },
    issueLegacy: (serviceAccount, secretName) => sign(legacyClaimsFor(serviceAccount, secretName)),
    async verify(token) {
      const payload = await payloadOf(token);
      return payload && issuers.includes(payload.iss ?? '') ? readClaims(payload) : undefined;
    },
    async verifyLegacy(token) {
      const payload = await payloadOf(token);
      return payload?.iss === legacyIssuer ? readLegacyClaims(payload) : undefined;
    },
    documents: new Map([
      [
        '/.well-known/openid-configuration',
        () => ({
          contentType: 'application/json',
          body: JSON.stringify({
            issuer,
            jwks_uri: options.jwksUri ?? `https://${options.address}${keysPath}`,
            response_types_supported: ['id_token'],
            subject_types_supported: ['public'],
            id_token_signing_alg_values_supported: algorithmsOf(currentKeys()),
          }),
        }),
      ],
      [
        keysPath,
        () => ({
          contentType: 'application/jwk-set+json',
          body: JSON.stringify({ keys: currentKeys().keys.map(jwkOf) }),
        }),
      ],
    ]),
  };
}

const algorithmsOf = ({ keys }: KeySet): string[] => [...new Set(keys.map(({ alg }) => alg))].sort();

const isOver = ({ exp }: JWTPayload, now: Date): boolean => exp !== undefined && exp * 1000 <= now.getTime();

/** The key is the one that the token names, or any of ours when it names none; its algorithm is never the token's choice. */
async function verified(token: string, { keys }: KeySet, now: Date): Promise<JWTPayload | undefined> {
  const header = headerOf(token);
  if (!header) return undefined;
  const candidates = keys.filter(
    ({ kid, alg }) => alg === header.alg && (header.kid === undefined || kid === header.kid),
  );
  for (const { alg, publicKey } of candidates) {
    const rules = { algorithms: [alg], currentDate: now, clockTolerance: notBeforeLeewaySeconds };
    try {
      return (await jwtVerify(token, publicKey, rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
  }
  return undefined;
}

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> | undefined {
  try {
    return decodeProtectedHeader(token);
  } catch (error) {
    // Of jose: "Invalid Token or Protected Header formatting".
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Cheap: whether it is worth trying to verify. */
export const looksLikeJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
