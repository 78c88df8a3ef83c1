/**
 * 2. GET of one object. Always the newest state: everything is in memory, so `resourceVersion` need not be asked.
 */
import { notFound } from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { type Environment, fromStoreError, refIn, subjectOf, toStored } from './environment.js';
import { storeKeyOf } from './keys.js';
import type { Stored } from './registry.js';
import { scaleView } from './scale.js';

/** Rejects with `NotFound`. `status` answers the whole object, `scale` its autoscaling/v1 view. */
export async function get<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  ref: ObjectRef,
  subresource?: string,
): Promise<Stored<T>> {
  const { stored } = await read(env, resource, ref);
  return subresource === 'scale' ? (scaleView(resource, stored) as unknown as Stored<T>) : stored;
}

/** The object and the revision to compare against when it is written back. */
export async function read<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  ref: ObjectRef,
): Promise<{ stored: Stored<T>; key: string; modRevision: number }> {
  const key = storeKeyOf(resource.type, refIn(resource, ref));
  const entry = await env.store.get(key).catch((error: unknown) => {
    throw fromStoreError(error);
  });
  if (!entry) throw notFound(subjectOf(resource, ref.name));
  return { stored: toStored<T>(env, entry), key, modRevision: entry.modRevision };
}
