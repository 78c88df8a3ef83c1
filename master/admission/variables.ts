/** 2. What expressions see of a request: `object`, `oldObject`, `request` and the way to the authorizer. */
import type { Resource } from '../resources/resource.js';
import { type AuthorizerFunction, createAuthorizerValue } from './authorizervalue.js';
import { reviewRequest } from './review.js';
import type { Subject, Versioned } from './subject.js';

/** Absent states are null, as expressions test for them. */
export function variablesOf(
  subject: Subject,
  row: Resource,
  shown: Versioned,
  authorize: AuthorizerFunction,
): Record<string, unknown> {
  return {
    object: shown.object ?? null,
    oldObject: shown.oldObject ?? null,
    request: reviewRequest(subject, row, shown),
    authorizer: createAuthorizerValue(subject, authorize),
  };
}
