/**
 * 2. PATCH: applies a patch to the present object and writes the result like an update. A lost race applies it again
 * to the newer object; a patch that names a resourceVersion then no longer fits and answers 409.
 */
import type { ObjectRef } from '../../src/api/meta.js';
import { applyPatch, patchTypes } from '../../src/api/patch/patch.js';
import type { GroupVersionKind, ObjectType } from '../../src/api/schema/table.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Patch } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import { applyToScale, serverSideApply } from './apply.js';
import { type Reading, readAs } from './body.js';
import { managedOf } from './codec.js';
import type { Environment } from './environment.js';
import { type Change, modify } from './modify.js';
import type { RequestContext, WriteResult } from './registry.js';
import { scaleType } from './scale.js';
import { changeOf, modifyScale } from './update.js';
import { fromStoredVersion, toStoredVersion } from './views.js';

/** Rejects like an update, and with `UnsupportedMediaType`, `BadRequest` or `Invalid` for the patch itself. */
export function patch<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  ref: ObjectRef,
  change: Patch,
  context: RequestContext,
  subresource?: string,
): Promise<WriteResult<T>> {
  if (change.type === 'apply') {
    return subresource === 'scale'
      ? applyToScale(env, resource, ref, change, context)
      : serverSideApply(env, resource, ref, change, { context, subresource });
  }
  const seesOwners = namesOwners(change);
  // What a patch makes is nobody else's, whoever sent it.
  const reading: Reading = {
    fieldValidation: context.fieldValidation,
    ownsBody: true,
    warn: (message) => context.warn(message),
  };
  const apply = (type: GroupVersionKind, current: KubeObject, schema?: ObjectType): KubeObject =>
    readAs(
      type,
      applyPatch({ type: patchTypes[change.type], gvk: type, current, patch: change.body }),
      reading,
      schema,
    );
  if (subresource === 'scale') {
    return modifyScale(env, resource, ref, context, (view) => apply(scaleType, view));
  }
  const produce: Change<T>['produce'] = async (old, stored) => {
    const shown = resource.view ? await fromStoredVersion(resource, old) : old;
    const current = seesOwners ? withOwners(shown, managedOf(stored.bytes)) : shown;
    const patched = apply(resource.type, current, resource.schema) as T;
    return resource.view ? toStoredVersion(resource, patched) : patched;
  };
  return modify(env, resource, ref, context, changeOf(env, resource, { context, subresource }, produce));
}

/** A JSON patch that works on the owners of fields, which objects in memory do not have. */
function namesOwners({ type, body }: Patch): boolean {
  if (type !== 'json' || !Array.isArray(body)) return false;
  return body.some(
    (operation: { path?: unknown; from?: unknown } | null) =>
      isOwnersPath(operation?.path) || isOwnersPath(operation?.from),
  );
}

const isOwnersPath = (path: unknown): boolean =>
  typeof path === 'string' && /^(\/metadata(\/managedFields(\/.*)?)?)?$/.test(path);

const withOwners = <T extends KubeObject>(object: T, owners: string | undefined): T =>
  owners === undefined
    ? object
    : { ...object, metadata: { ...object.metadata, managedFields: JSON.parse(owners) as never } };
