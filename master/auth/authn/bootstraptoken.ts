/**
 * Who shows a bootstrap token (`abcdef.0123456789abcdef`): the Secret `bootstrap-token-<id>` in kube-system of type
 * bootstrap.kubernetes.io/token, as Kubernetes documents it. Called by the authenticator; secrets are compared as hashes
 * in constant time.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import { secrets } from '../../../src/api/kinds.js';
import type { Secret } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';
import { ifFound } from '../../../src/client/found.js';
import type { Clock } from '../../../src/host/clock.js';
import type { User } from '../../registry/registry.js';
import { bootstrapNamespace, bootstrapSecretName, bootstrapSecretType } from '../token.js';

export interface BootstrapTokenOptions {
  client: Pick<Client, 'get'>;
  clock: Pick<Clock, 'now'>;
}

export function createBootstrapTokens({
  client,
  clock,
}: BootstrapTokenOptions): (token: string) => Promise<User | undefined> {
  return async (token) => {
    const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
    if (!id || !secret) return undefined;
    const stored = await ifFound(
      client.get(secrets, {
        namespace: bootstrapNamespace,
        name: bootstrapSecretName(id),
      }),
    );
    return stored && isValidToken(stored, { id, secret }, clock.now()) ? userOfToken(id, stored) : undefined;
  };
}

/** Pure: whether the Secret stands for this token, now. */
function isValidToken(stored: Secret, token: { id: string; secret: string }, now: Date): boolean {
  return (
    stored.type === bootstrapSecretType &&
    !stored.metadata.deletionTimestamp &&
    field(stored, 'token-id') === token.id &&
    timingSafeEqual(hash(field(stored, 'token-secret')), hash(token.secret)) &&
    field(stored, 'usage-bootstrap-authentication') === 'true' &&
    expiresAtMs(stored) > now.getTime()
  );
}

/** In milliseconds since 1970; a date that cannot be read has passed, none never does. */
export function expiresAtMs(stored: Secret): number {
  const expiration = field(stored, 'expiration');
  if (expiration === '') return Number.POSITIVE_INFINITY;
  const at = Date.parse(expiration);
  return Number.isNaN(at) ? Number.NEGATIVE_INFINITY : at;
}

function userOfToken(id: string, stored: Secret): User {
  const groups = field(stored, 'auth-extra-groups')
    .split(',')
    .map((group) => group.trim())
    .filter((group) => /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(group));
  return {
    name: `system:bootstrap:${id}`,
    groups: ['system:bootstrappers', ...groups, 'system:authenticated'],
  };
}

const field = (secret: Secret, name: string): string =>
  Buffer.from(secret.data?.[name] ?? '', 'base64').toString();

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
