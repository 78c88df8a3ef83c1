/**
 * Who may come in and what they may do there, put together: authenticators, authorizers and the reviews that ask them.
 * Called by `api.ts`.
 */
import { isReason } from '../src/api/errors.js';
import { pods } from '../src/api/kinds.js';
import type { Client } from '../src/client/client.js';
import type { Authenticator, Authorizer } from './auth/auth.js';
import { createAuthenticator } from './auth/authenticator.js';
import { createAuthorizer } from './auth/authorizer.js';
import { createTokenIssuer, type TokenIssuer } from './auth/issuer.js';
import { createRbac, type Rbac } from './auth/rbac.js';
import type { Core } from './core.js';
import { createReviews } from './reviews/reviews.js';

export interface Access {
  issuer: TokenIssuer;
  authenticator: Authenticator;
  authorizer: Authorizer;
  rbac: Rbac;
}

/** Adds the answers to access and token reviews to those of the registry. */
export async function createAccess({
  client,
  clock,
  log,
  pki,
  address,
  virtuals,
  actions,
}: Core): Promise<Access> {
  const issuer = await createTokenIssuer({ key: pki.serviceAccountKey, address, clock });
  const authenticator = createAuthenticator({ adminToken: pki.adminToken, client, clock, issuer });
  const rbac = createRbac({ client, clock, log });
  const authorizer = createAuthorizer({
    nodeOfPod: (namespace, name) => nodeOfPod(client, namespace, name),
    rbac,
  });
  const reviews = createReviews({ authenticator, authorizer, issuer, client, clock });
  for (const [key, virtual] of reviews.virtuals) virtuals.set(key, virtual);
  for (const [key, action] of reviews.actions) actions.set(key, action);
  return { issuer, authenticator, authorizer, rbac };
}

async function nodeOfPod(client: Client, namespace: string, name: string): Promise<string | undefined> {
  try {
    const pod = await client.get(pods, { namespace, name });
    return pod.spec?.nodeName ?? '';
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
