/**
 * The answers of authentication.k8s.io/v1: whose token is this, and who am I. Called by the registry for every POST of a
 * review; nothing is stored. A token is never logged.
 */
import { badRequest } from '../../src/api/errors.js';
import type { KubeObject, TokenReview, TokenReviewStatus, UserInfo } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { TokenAuthenticator } from '../auth/auth.js';
import type { User } from '../registry/registry.js';
import type { Virtual } from '../registry/virtual.js';

const group = 'authentication.k8s.io';

export function identityReviews(
  authenticator: TokenAuthenticator,
  now: () => Date,
): ReadonlyMap<string, Virtual> {
  async function review({ token, audiences }: Partial<TokenReview>['spec'] = {}): Promise<TokenReviewStatus> {
    if (!token) throw badRequest('token is required for TokenReview in authentication');
    const wanted = audiences?.length ? audiences : undefined;
    const found = await authenticator.authenticateToken(token, wanted);
    // Where nobody is found clients still look at `user`.
    if (!found) return { user: {}, error: 'invalid bearer token' };
    return { authenticated: true, user: userInfo(found.user), audiences: [...found.audiences] };
  }

  return new Map<string, Virtual>([
    [
      `tokenreviews.${group}`,
      {
        create: async (object) =>
          ({ ...object, status: await review((object as TokenReview).spec) }) as KubeObject,
      },
    ],
    [
      `selfsubjectreviews.${group}`,
      {
        create: async (object, { user }) =>
          ({
            ...object,
            metadata: { ...object.metadata, creationTimestamp: toTime(now()) },
            status: { userInfo: userInfo(user) },
          }) as KubeObject,
      },
    ],
  ]);
}

/** The user as reviews and webhooks show it. */
export const userInfo = ({ name, groups, uid, extra }: User): UserInfo => ({
  username: name,
  ...(uid && { uid }),
  groups: [...groups],
  ...(extra && {
    extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])),
  }),
});
