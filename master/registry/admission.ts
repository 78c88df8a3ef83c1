/**
 * 2. Contract: what may change or refuse a write besides the kind's own strategy: webhooks, policies, built-in plugins.
 *
 * The registry asks on every create, update, delete and connect. `concerns` is the cheap question: while it answers false,
 * a write costs one function call and stays synchronous. Order on a write, as in Kubernetes: decode and default ->
 * `mutate` -> prepare -> validate (strategy) -> `validate` -> store. After a lost race all of it runs again.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import type { RequestContext } from './registry.js';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionRequest {
  operation: Operation;
  /** The row the request was made for; of a converted version, that version's row. */
  resource: Resource;
  /** '' for the object itself. */
  subresource: string;
  namespace: string | undefined;
  /** Undefined while a generated name is not made yet, and for a collection. */
  name: string | undefined;
  /** The object as it would be stored, in the version of `resource`; what CONNECT and `create` of a subresource send. Absent on DELETE. */
  object: KubeObject | undefined;
  /** The present state, on UPDATE and DELETE. */
  oldObject: KubeObject | undefined;
  /** CreateOptions, UpdateOptions (for patches PatchOptions), DeleteOptions, as sent. */
  options: Readonly<Record<string, unknown>> | undefined;
  context: RequestContext;
  /**
   * In `validate` of a CREATE or UPDATE of what is stored: calls back when that is done, with true once it can be read;
   * with false when nothing was written after all.
   */
  onSettled?(listener: (written: boolean) => void): void;
}

export interface Admission {
  /** False when nobody wants to see such a request. */
  concerns(resource: Resource, operation: Operation, subresource: string): boolean;
  /** The object to go on with; the same one when nothing changes. Never changes its argument. Rejects with an `ApiError`. */
  mutate(request: AdmissionRequest): Promise<KubeObject | undefined>;
  /** Rejects with an `ApiError`, `Forbidden` as a rule. */
  validate(request: AdmissionRequest): Promise<void>;
}

export const admitAll: Admission = {
  concerns: () => false,
  mutate: (request) => Promise.resolve(request.object),
  validate: () => Promise.resolve(),
};
