/**
 * Everything that is asked of the server about users and not stored: access reviews, token reviews, token requests.
 * Called by the composition root, which hands the maps to the registry.
 */
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import type { Authorizer, RuleResolver, TokenAuthenticator } from '../auth/auth.js';
import type { TokenIssuer } from '../auth/authn/issuer.js';
import type { Action, Virtual } from '../registry/virtual.js';
import { accessReviews } from './access.js';
import { identityReviews } from './identity.js';
import { tokenRequestAction } from './tokenrequest.js';

export interface ReviewsOptions {
  authenticator: TokenAuthenticator;
  authorizer: Authorizer & RuleResolver;
  issuer: TokenIssuer;
  client: Pick<Client, 'get'>;
  clock: Pick<Clock, 'now'>;
}

export function createReviews(options: ReviewsOptions): {
  virtuals: ReadonlyMap<string, Virtual>;
  actions: ReadonlyMap<string, Action>;
} {
  const { authenticator, authorizer, clock } = options;
  return {
    virtuals: new Map([...accessReviews(authorizer), ...identityReviews(authenticator, () => clock.now())]),
    actions: new Map([['serviceaccounts./token', tokenRequestAction(options)]]),
  };
}
