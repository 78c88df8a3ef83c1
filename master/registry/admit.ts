/**
 * 2. Asks admission on behalf of a write: in the version of the request, whatever the kind is stored as. Callers ask
 * `concerns` first, so that a write nobody wants to see costs nothing.
 */

import type { ObjectRef } from '../../src/api/meta.js';
import { checkObject, checkType } from '../../src/api/schema/check.js';
import { decodeError } from '../../src/api/schema/strict.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import type { AdmissionRequest } from './admission.js';
import { copyJson } from './codec.js';
import type { Environment } from './environment.js';
import type { RequestContext } from './registry.js';
import { fromStoredVersion, toStoredVersion } from './views.js';

export type Admitted<T extends KubeObject> = Omit<AdmissionRequest, 'resource' | 'object' | 'oldObject'> & {
  /** The row of the request. */
  resource: Resource<T>;
  /** In the storing version. */
  object: T | undefined;
  oldObject: T | undefined;
};

/** The object to go on with, in the storing version; what admission made of it is decoded like a body. */
export async function mutate<T extends KubeObject>(
  env: Environment,
  given: Admitted<T>,
): Promise<T | undefined> {
  const request = await inItsVersion(given);
  const changed = await env.admission.mutate(request);
  if (changed === request.object || changed === undefined) return given.object;
  const object = copyJson(changed) as T;
  const { errors } = given.resource.schema
    ? checkType(given.resource.schema, object)
    : checkObject(given.resource.type, object);
  if (errors.length > 0) throw decodeError(given.resource.type, errors);
  return toStoredVersion(given.resource, object);
}

/** Tells those who wanted to hear how a write ended. */
export type Settle = (written: boolean) => void;

export const unheard: Settle = () => undefined;

/** Whoever writes must call what it resolves with, however the write ends. */
export async function validate<T extends KubeObject>(env: Environment, given: Admitted<T>): Promise<Settle> {
  const listeners: Settle[] = [];
  const settle: Settle = (written) => {
    for (const listener of listeners) listener(written);
  };
  try {
    const request = await inItsVersion(given);
    await env.admission.validate({ ...request, onSettled: (listener) => listeners.push(listener) });
    return settle;
  } catch (error) {
    settle(false);
    throw error;
  }
}

async function inItsVersion<T extends KubeObject>(given: Admitted<T>): Promise<AdmissionRequest> {
  const { resource, object, oldObject } = given;
  return {
    ...given,
    resource: resource as Resource<never> as Resource,
    object: object && (await fromStoredVersion(resource, object)),
    oldObject: oldObject && (await fromStoredVersion(resource, oldObject)),
  };
}

/** A write through a subresource that takes another kind (a Scale, a Binding), or a connection with its options. */
export interface OtherWrite<T extends KubeObject> {
  operation: 'CREATE' | 'UPDATE' | 'CONNECT';
  resource: Resource<T>;
  subresource: string;
  ref: ObjectRef;
  object: KubeObject;
  oldObject?: KubeObject;
  context: RequestContext;
}

/** The body to go on with; the one given when nobody wants to see it. */
export async function admitOther<T extends KubeObject>(
  env: Environment,
  { operation, resource, subresource, ref, object, oldObject, context }: OtherWrite<T>,
): Promise<KubeObject> {
  const row = resource as Resource<never> as Resource;
  if (!env.admission.concerns(row, operation, subresource)) return object;
  const request: AdmissionRequest = {
    ...{ operation, resource: row, subresource, object, oldObject, options: context.options, context },
    ...{ namespace: ref.namespace, name: ref.name },
  };
  const changed = (await env.admission.mutate(request)) ?? object;
  await env.admission.validate({ ...request, object: changed });
  return changed;
}
