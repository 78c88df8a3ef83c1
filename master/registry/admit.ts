/**
 * 2. Asks admission on behalf of a write: in the version of the request, whatever the kind is stored as. Callers ask
 * `concerns` first, so that a write nobody wants to see costs nothing.
 */
import { checkObject, checkType } from '../../src/api/schema/check.js';
import { decodeError } from '../../src/api/schema/strict.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import type { AdmissionRequest } from './admission.js';
import { copyJson } from './codec.js';
import type { Environment } from './environment.js';
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

export async function validate<T extends KubeObject>(env: Environment, given: Admitted<T>): Promise<void> {
  await env.admission.validate(await inItsVersion(given));
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
