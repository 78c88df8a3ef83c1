/**
 * Makes the token that lets a host join. Called by `wherry token create`, against the API like everyone else.
 */
import { randomInt } from 'node:crypto';
import { secrets } from '../../src/api/kinds.js';
import type { Secret } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { formatJoinToken } from '../../src/client/jointoken.js';
import { type Clock, systemClock, toTime } from '../../src/host/clock.js';
import { certificateHash } from '../../src/host/pem.js';

export const bootstrapNamespace = 'kube-system';
export const bootstrapSecretType = 'bootstrap.kubernetes.io/token';
export const bootstrapSecretName = (id: string): string => `bootstrap-token-${id}`;

export interface BootstrapTokenOptions {
  /** PEM of the cluster's authority, which the token pins. */
  ca: string;
  /** Until the token expires; for ever when 0. */
  ttlMs: number;
  description?: string;
  clock?: Pick<Clock, 'now'>;
}

/** Writes the Secret and resolves with the text to hand to `wherry agent --token`. */
export async function createBootstrapToken(
  client: Pick<Client, 'create'>,
  options: BootstrapTokenOptions,
): Promise<string> {
  const now = (options.clock ?? systemClock).now();
  const token = { caHash: certificateHash(options.ca), id: randomText(6), secret: randomText(16) };
  const data: Record<string, string> = {
    'token-id': token.id,
    'token-secret': token.secret,
    'usage-bootstrap-authentication': 'true',
    description: options.description ?? 'lets a host join, made by wherry token create',
    ...(options.ttlMs > 0 && { expiration: toTime(new Date(now.getTime() + options.ttlMs)) }),
  };
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: bootstrapNamespace, name: bootstrapSecretName(token.id) },
    type: bootstrapSecretType,
    data: Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
    ),
  };
  await client.create(secrets, secret);
  return formatJoinToken(token);
}

/** Evenly distributed characters of [a-z0-9], from the system's randomness. */
const randomText = (length: number): string =>
  Array.from({ length }, () => randomInt(36).toString(36)).join('');
