/**
 * Who shows the token of a Secret of type kubernetes.io/service-account-token. Called by `serviceaccount.ts`.
 *
 * Such a token never expires: it is good as long as its Secret is there and holds it, and the service account is the one
 * it was made for. The day of its last use is kept as a label of the Secret, as kube-apiserver does, so that tokens nobody
 * uses can be found.
 */

import { timingSafeEqual } from 'node:crypto';
import { secrets, serviceAccounts } from '../../../src/api/kinds.js';
import type { Secret } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';
import { ifFound } from '../../../src/client/found.js';
import type { Clock } from '../../../src/host/clock.js';
import type { Logger } from '../../../src/host/log.js';
import type { User } from '../../registry/registry.js';
import { userOfLegacyClaims } from '../claims.js';
import type { TokenIssuer } from './issuer.js';

export const tokenSecretType = 'kubernetes.io/service-account-token';
const lastUsed = 'kubernetes.io/legacy-token-last-used';
const invalidSince = 'kubernetes.io/legacy-token-invalid-since';

export interface LegacyTokenOptions {
  issuer: Pick<TokenIssuer, 'verifyLegacy'>;
  client: Pick<Client, 'get' | 'patch'>;
  clock: Pick<Clock, 'now'>;
  log: Logger;
}

/** The user, or `undefined` when it is no such token or has ended. */
export function createLegacyTokens({
  issuer,
  client,
  clock,
  log,
}: LegacyTokenOptions): (token: string) => Promise<User | undefined> {
  /** Secrets whose label is being written. */
  const writing = new Set<string>();

  /** Nobody waits for it, and a failure only costs the label. */
  function noteUse({ metadata }: Secret): void {
    const { namespace = '', name = '', uid = '', labels } = metadata;
    const today = clock.now().toISOString().slice(0, 10);
    if ((labels?.[lastUsed] ?? '') >= today || writing.has(uid)) return;
    writing.add(uid);
    const body = { metadata: { uid, labels: { [lastUsed]: today } } };
    client
      .patch(secrets, { namespace, name }, { type: 'merge', body })
      .catch((err: unknown) => log.warn({ err, namespace, secret: name }, 'cannot note the use of a token'))
      .finally(() => writing.delete(uid));
  }

  return async (token) => {
    const claims = await issuer.verifyLegacy(token);
    if (!claims) return undefined;
    const { namespace, secretName, serviceAccount } = claims;
    const secret = await ifFound(client.get(secrets, { namespace, name: secretName }));
    if (!secret || !isTokenOf(secret, token)) return undefined;
    const account = await ifFound(client.get(serviceAccounts, { namespace, name: serviceAccount.name }));
    if (account?.metadata.uid !== serviceAccount.uid || account.metadata.deletionTimestamp) return undefined;
    noteUse(secret);
    return userOfLegacyClaims(claims);
  };
}

function isTokenOf({ metadata, type, data }: Secret, token: string): boolean {
  const kept = Buffer.from(data?.['token'] ?? '', 'base64');
  const shown = Buffer.from(token);
  return (
    type === tokenSecretType &&
    !metadata.deletionTimestamp &&
    !metadata.labels?.[invalidSince] &&
    kept.length === shown.length &&
    timingSafeEqual(kept, shown)
  );
}
