/**
 * 2. The CEL variable `authorizer`: checks that expressions make about the user of the request. Plain data and a
 * `check` that decides; what the language adds on top (`group('apps').resource('deployments').check('get').allowed()`) is
 * in `cel.ts`.
 */
import type { Attributes, Decision } from '../auth/auth.js';
import type { User } from '../registry/registry.js';
import type { Subject } from './subject.js';

/** The API's own authorizer; answers for a user. */
export type AuthorizerFunction = (attributes: Attributes) => Promise<Decision> | Decision;

/** What a check asks, besides who. */
export type Asked = Omit<Attributes, 'user'>;

export interface AuthorizerValue {
  user: User;
  /** The resource of the request, for `authorizer.requestResource`. */
  requestResource: Asked;
  decide(asked: Asked, user?: User): Promise<Decision> | Decision;
}

/** Equal checks of one request are made once. */
export function createAuthorizerValue(subject: Subject, authorize: AuthorizerFunction): AuthorizerValue {
  const { resource, subresource, context } = subject.request;
  const { group, version, resource: plural } = resource.type;
  const known = new Map<string, Promise<Decision> | Decision>();
  return {
    user: context.user,
    requestResource: {
      verb: '',
      group,
      version,
      resource: plural,
      subresource,
      namespace: subject.namespace,
      name: subject.name,
      path: undefined,
    },
    decide(asked, user = context.user) {
      const key = JSON.stringify([asked, user.name, user.groups]);
      const found = known.get(key) ?? authorize({ ...asked, user });
      known.set(key, found);
      return found;
    },
  };
}
