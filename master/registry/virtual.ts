/**
 * 2. Contract: what is answered instead of stored: reviews, metrics, component statuses; and the actions behind a POST to
 * a subresource. Given to the registry by `main.ts`, keyed by `resourceKey(type)` (`tokenreviews.authentication.k8s.io`)
 * and that with the subresource (`serviceaccounts./token`).
 */
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { ListOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import type { RequestContext } from './registry.js';

/** The verbs of a row's `verbs`; objects are decoded and checked against the schema, with the namespace of the path. */
export interface Virtual {
  create?(object: KubeObject, context: RequestContext): Promise<KubeObject>;
  get?(ref: ObjectRef, context: RequestContext): Promise<KubeObject>;
  /** All of `options.namespace`; selectors are applied by the registry. */
  list?(options: ListOptions, context: RequestContext): Promise<KubeObject[]>;
}

export interface ActionRequest {
  resource: Resource;
  ref: ObjectRef;
  /** Decoded, unchecked: the action reads it with `readAs` of the kinds it takes. */
  body: unknown;
  context: RequestContext;
}

/** Answers the body of the 201. */
export type Action = (request: ActionRequest) => Promise<KubeObject | object>;
