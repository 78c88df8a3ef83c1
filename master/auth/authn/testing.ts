/**
 * Servers outside for tests of authentication: HTTPS on a free port of 127.0.0.1, with a certificate of an authority of
 * their own. Imported by tests only.
 */

import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type JWTPayload, SignJWT } from 'jose';
import type { Logger } from '../../../src/host/log.js';
import { createAuthority } from '../ca.js';

export interface OutsideServer {
  url: string;
  /** PEM of its authority. */
  ca: string;
  /** Paths asked for so far. */
  asked: string[];
  close(): Promise<void>;
}

/** Answers what `answer` makes of a path and a body, as JSON; 500 without. */
export async function createOutsideServer(
  answer: (path: string, body: string, request: IncomingMessage) => object | undefined,
): Promise<OutsideServer> {
  const authority = await createAuthority(new Date());
  const names = { dnsNames: ['localhost'], ips: ['127.0.0.1'] };
  const pair = await authority.issueServing({ commonName: 'outside', organizations: [] }, names, new Date());
  const asked: string[] = [];
  const server = createServer(pair, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    asked.push(request.url ?? '');
    const body = answer(request.url ?? '', Buffer.concat(chunks).toString(), request);
    response.writeHead(body ? 200 : 500, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: authority.pair.cert,
    asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface OutsideIssuer extends OutsideServer {
  /** Answers only while it is not. */
  setAway(isAway: boolean): void;
  /** Adds a key and signs with it from now on. */
  rotate(kid: string): void;
  /** A token that it signs, good for an hour unless the claims say something else. */
  sign(claims: JWTPayload, now: Date): Promise<string>;
}

/** An OpenID Connect issuer that signs with RS256. */
export async function createOutsideIssuer(): Promise<OutsideIssuer> {
  const keys: { kid: string; privateKey: KeyObject; jwk: object }[] = [];
  let isAway = false;
  const server = await createOutsideServer((path) => {
    if (isAway) return undefined;
    if (path === '/keys') return { keys: keys.map(({ jwk }) => jwk) };
    return { issuer: server.url, jwks_uri: `${server.url}/keys` };
  });
  const rotate = (kid: string): void => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    keys.push({
      kid,
      privateKey,
      jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' },
    });
  };
  rotate('first');
  return {
    ...server,
    rotate,
    setAway(value) {
      isAway = value;
    },
    sign(claims, now) {
      const key = keys.at(-1);
      if (!key) throw new Error('the issuer has no key');
      const seconds = Math.floor(now.getTime() / 1000);
      return new SignJWT({ iss: server.url, aud: 'kubernetes', sub: 'jane', exp: seconds + 3600, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: key.kid })
        .sign(key.privateKey);
    },
  };
}

/** A logger that keeps what it is told. */
export function createMemoryLog(): { log: Logger; records: unknown[] } {
  const records: unknown[] = [];
  const keep = (fields: object | string, message?: string): unknown => records.push([fields, message]);
  const log = { debug: keep, info: keep, warn: keep, error: keep, child: () => log } as unknown as Logger;
  return { log, records };
}
