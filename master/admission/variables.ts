/**
 * 2. What expressions see of a request: `object`, `oldObject`, `request` and the authorizer. Made for CEL once per version
 * of the object, however many expressions look at it.
 */
import {
  type AuthorizerQuestion,
  CelAuthorizer,
  CelResourceCheck,
  toCel,
} from '../../src/api/cel/program.js';
import type { Attributes, Decision } from '../auth/auth.js';
import type { User } from '../registry/registry.js';
import type { Resource } from '../resources/resource.js';
import { reviewRequest } from './review.js';
import { requestResourceName } from './rewrite.js';
import type { Subject, Versioned } from './subject.js';

/** The API's own authorizer. */
export type AuthorizerFunction = (attributes: Attributes) => Promise<Decision> | Decision;

/** Absent states are null, as expressions test for them. */
export function variablesOf(
  subject: Subject,
  row: Resource,
  shown: Versioned,
  authorize: AuthorizerFunction,
): Record<string, unknown> {
  const ask = askerOf(subject.request.context.user, row.type.version, authorize);
  const { group, resource } = row.type;
  const { subresource, namespace = '', name = '' } = subject;
  return {
    object: toCel(shown.object ?? null),
    oldObject: toCel(shown.oldObject ?? null),
    request: toCel(reviewRequest(subject, row, shown)),
    authorizer: new CelAuthorizer(ask),
    [requestResourceName]: new CelResourceCheck(ask, { group, resource, subresource, namespace, name }),
  };
}

/** Equal questions of one request are asked once. */
function askerOf(
  user: User,
  version: string,
  authorize: AuthorizerFunction,
): (question: AuthorizerQuestion) => Promise<Decision & { error?: string }> {
  const known = new Map<string, Promise<Decision & { error?: string }>>();
  return (question) => {
    const key = JSON.stringify(question);
    const found = known.get(key) ?? answer(attributesOf(question, user, version), authorize);
    known.set(key, found);
    return found;
  };
}

/** A check that fails is an answer too. */
async function answer(
  attributes: Attributes,
  authorize: AuthorizerFunction,
): Promise<Decision & { error?: string }> {
  try {
    return await authorize(attributes);
  } catch (error) {
    return { allowed: false, reason: '', error: (error as Error).message };
  }
}

function attributesOf(question: AuthorizerQuestion, user: User, version: string): Attributes {
  const { serviceAccount, verb, path, group, resource, subresource, namespace, name } = question;
  return {
    user: serviceAccount ? accountOf(serviceAccount) : user,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace: namespace || undefined,
    name: name || undefined,
    path,
  };
}

const accountOf = ({ namespace, name }: { namespace: string; name: string }): User => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
});
