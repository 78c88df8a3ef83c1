/**
 * The keys of an outside issuer, found by its OpenID Connect discovery document, fetched when first needed and kept. Called
 * by `jwttokens.ts`.
 *
 * An issuer that is away costs its own tokens only: they are refused until it answers, and it is asked again at most every
 * ten seconds. Keys that are known go on verifying meanwhile. A key that nobody knows yet is looked for at once.
 */
import {
  createLocalJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose';
import type { Clock } from '../../../src/host/clock.js';
import type { Logger } from '../../../src/host/log.js';
import type { Outbound } from './outbound.js';

export interface RemoteKeysOptions {
  /** What the discovery document must say it is of. */
  issuer: string;
  /** Where that document is. */
  discoveryUrl: string;
  outbound: Pick<Outbound, 'json'>;
  clock: Pick<Clock, 'monotonicMs'>;
  log: Logger;
}

export interface RemoteKeys {
  /** The payload of a token that one of the keys signed and that is as `rules` want; `undefined` otherwise. */
  verify(token: string, rules: JWTVerifyOptions): Promise<JWTPayload | undefined>;
  /** Fetches what is not there or old; never rejects. */
  refresh(): Promise<void>;
}

type KeyFinder = ReturnType<typeof createLocalJWKSet>;

const retryMs = 10_000;
const freshMs = 10 * 60_000;
/** A token that names no key is tried with each of them, and anybody can write one. */
const maxKeys = 100;
const maxUrlChars = 2048;

export function createRemoteKeys(options: RemoteKeysOptions): RemoteKeys {
  const { clock, log, issuer } = options;
  let found: { keys: KeyFinder; atMs: number } | undefined;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;

  async function fetchKeys(): Promise<void> {
    triedAtMs = clock.monotonicMs();
    try {
      const keys = createLocalJWKSet(await keySet(options));
      found = { keys, atMs: clock.monotonicMs() };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ issuer, reason }, 'cannot get the keys of an outside issuer, will try again');
    }
  }

  /** One at a time, for everybody who waits. */
  function fetchOnce(): Promise<void> {
    if (clock.monotonicMs() - triedAtMs < retryMs && !fetching) return Promise.resolve();
    fetching ??= fetchKeys().finally(() => {
      fetching = undefined;
    });
    return fetching;
  }

  /** Keys are the issuer's to write, and what is none is found when it is used. */
  async function tryWith(
    keys: KeyFinder,
    token: string,
    rules: JWTVerifyOptions,
  ): ReturnType<typeof verifyWith> {
    try {
      return await verifyWith(keys, token, rules);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ issuer, reason }, 'a key of an outside issuer cannot be used');
      return undefined;
    }
  }

  const isOld = (): boolean => !found || clock.monotonicMs() - found.atMs > freshMs;

  return {
    async verify(token, rules) {
      if (!found) await fetchOnce();
      else if (isOld()) void fetchOnce();
      if (!found) return undefined;
      const first = await tryWith(found.keys, token, rules);
      if (first !== 'unknown key') return first;
      const before = found;
      await fetchOnce();
      if (found === before) return undefined;
      const second = await tryWith(found.keys, token, rules);
      return second === 'unknown key' ? undefined : second;
    },
    refresh: () => (isOld() ? fetchOnce() : Promise.resolve()),
  };
}

async function keySet({ issuer, discoveryUrl, outbound }: RemoteKeysOptions): Promise<JSONWebKeySet> {
  const document = (await outbound.json(discoveryUrl)) as { issuer?: unknown; jwks_uri?: unknown } | null;
  if (document?.issuer !== issuer)
    throw new Error(`${discoveryUrl}: is the document of ${shown(document?.issuer)}`);
  const { jwks_uri: uri } = document;
  if (typeof uri !== 'string' || !uri.startsWith('https://') || uri.length > maxUrlChars)
    throw new Error(`${discoveryUrl}: jwks_uri must be an https:// URL`);
  const keys = (await outbound.json(uri)) as JSONWebKeySet;
  if (Array.isArray(keys?.keys) && keys.keys.length > maxKeys)
    throw new Error(`${uri}: holds more than ${maxKeys} keys`);
  return keys;
}

/** For the log: what others write has no limit. */
const shown = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.slice(0, maxUrlChars)) : 'nobody';

async function verifyWith(
  keys: KeyFinder,
  token: string,
  rules: JWTVerifyOptions,
): Promise<JWTPayload | undefined | 'unknown key'> {
  try {
    return (await jwtVerify(token, keys, rules)).payload;
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return 'unknown key';
    if (error instanceof errors.JWKSMultipleMatchingKeys) return verifyWithAny(error, token, rules);
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}

/** A token that names no key, of an issuer with several. */
async function verifyWithAny(
  candidates: errors.JWKSMultipleMatchingKeys,
  token: string,
  rules: JWTVerifyOptions,
): Promise<JWTPayload | undefined> {
  for await (const key of candidates) {
    try {
      return (await jwtVerify(token, key, rules)).payload;
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
    }
  }
  return undefined;
}
