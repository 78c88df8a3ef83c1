/**
 * Who may come in and what they may do there, put together: authenticators, authorizers and the reviews that ask them.
 * Called by `api.ts`.
 */
import { join } from 'node:path';
import type { Component } from '../src/host/component.js';
import type { Authorizer } from './auth/auth.js';
import { type Authentication, createAuthentication } from './auth/authn/authentication.js';
import { createAuthorizer } from './auth/authorizer.js';
import { createNodeGraph } from './auth/nodegraph.js';
import { createRbac, type Rbac } from './auth/rbac.js';
import type { Core } from './core.js';
import { createReviews } from './reviews/reviews.js';

export interface Access {
  authentication: Authentication;
  authorizer: Authorizer;
  rbac: Rbac;
  /** Started once the API answers: until it is in step it asks the registry. */
  nodeGraph: Component;
}

/** Adds the answers to access and token reviews to those of the registry. */
export async function createAccess({
  client,
  clock,
  log,
  pki,
  options,
  address,
  virtuals,
  actions,
}: Core): Promise<Access> {
  const authentication = await createAuthentication({
    ...{ client, clock, log, address, pki },
    options: options.authentication,
    directory: join(options.dataDir, 'master'),
  });
  const { issuer, authenticator } = authentication;
  const rbac = createRbac({ client, clock, log });
  const nodeGraph = createNodeGraph({ client, clock, log });
  const authorizer = createAuthorizer({ graph: nodeGraph, rbac });
  const reviews = createReviews({ authenticator, authorizer, issuer, client, clock });
  for (const [key, virtual] of reviews.virtuals) virtuals.set(key, virtual);
  for (const [key, action] of reviews.actions) actions.set(key, action);
  return { authentication, authorizer, rbac, nodeGraph };
}
