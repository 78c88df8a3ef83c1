/**
 * 2. From a decoded request body to an object of the kind: right apiVersion and kind, right types, unknown fields
 * ignored, warned of or refused as `fieldValidation` says.
 */
import { badRequest } from '../../src/api/errors.js';
import { apiVersionOf, type ResourceType } from '../../src/api/kinds.js';
import { checkObject, checkType as checkSchema } from '../../src/api/schema/check.js';
import { decodeError, strictError, strictProblems } from '../../src/api/schema/strict.js';
import type { ObjectType } from '../../src/api/schema/table.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { copyJson } from './codec.js';
import type { RequestContext } from './registry.js';

type Shape = Pick<ResourceType, 'group' | 'version' | 'kind'>;

/** What of a request says how its body is read. */
export type Reading = Pick<RequestContext, 'fieldValidation' | 'ownsBody' | 'warn'>;

/** Rejects with 400. The body itself stays as it is, unless the context says that it may be taken over. */
export function readBody<T extends KubeObject>(resource: Resource<T>, body: unknown, how: Reading): T {
  return readAs(resource.type, body, how, resource.schema) as T;
}

/** The same for what is no resource of its own: Scale, Binding. */
export function readAs(type: Shape, body: unknown, how: Reading, schema?: ObjectType): KubeObject {
  const object = how.ownsBody ? body : copyJson(body);
  if (typeof object !== 'object' || object === null || Array.isArray(object)) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${type.kind}): it is not a JSON object`,
    );
  }
  const { apiVersion = apiVersionOf(type), kind = type.kind } = object as Partial<KubeObject>;
  checkType(type, nameText(apiVersion), nameText(kind));
  const { unknown, errors } = schema ? checkSchema(schema, object) : checkObject(type, object);
  if (errors.length > 0) throw decodeError(type, errors);
  if (unknown.length > 0) refuseOrWarn(type, unknown, how);
  const { metadata = {} } = object as Partial<KubeObject>;
  return { ...object, apiVersion, kind, metadata };
}

/** A client may send anything for a name; `String` throws for objects that say they are none. */
export const nameText = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '');

function checkType(type: Shape, apiVersion: string, kind: string): void {
  const expected = apiVersionOf(type);
  if (kind !== type.kind) {
    const version = JSON.stringify(apiVersion.slice(apiVersion.indexOf('/') + 1));
    throw badRequest(
      `${kind} in version ${version} cannot be handled as a ${type.kind}: the request expects ${expected} ${type.kind}`,
    );
  }
  if (apiVersion !== expected) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`,
    );
  }
}

function refuseOrWarn(type: Shape, unknown: readonly string[], how: Reading): void {
  if (how.fieldValidation === 'Ignore') return;
  const problems = strictProblems(unknown, []);
  if (how.fieldValidation === 'Strict') throw strictError(type, problems);
  for (const problem of problems) how.warn(problem);
}
