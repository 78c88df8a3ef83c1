/**
 * 2. Runs a write between reserving what it needs and keeping or giving that back, so that no failure leaks a number.
 */
import { invalid } from '../../src/api/errors.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import type { AllocationHook } from './allocation.js';
import { type Environment, kindSubjectOf, resourceKey } from './environment.js';
import type { RequestContext } from './registry.js';

/** Rejects with `Invalid` when a number cannot be had, else with whatever `write` rejects with. */
export async function reserve<T extends KubeObject, R>(
  env: Environment,
  resource: Resource<T>,
  object: T,
  old: T | undefined,
  context: RequestContext,
  write: (complete: T) => Promise<R>,
): Promise<R> {
  const hook = env.allocators.get(resourceKey(resource.type)) as AllocationHook<T> | undefined;
  if (!hook) return write(object);
  const allocation = hook.allocate(object, old);
  if (allocation.errors.length > 0) {
    throw invalid(kindSubjectOf(resource, object.metadata.name ?? ''), allocation.errors);
  }
  let written = false;
  try {
    const result = await write(allocation.object);
    written = !context.dryRun;
    return result;
  } finally {
    if (written) allocation.commit();
    else allocation.rollback();
  }
}

/** After an object left the store. */
export function releaseOf<T extends KubeObject>(env: Environment, resource: Resource<T>, object: T): void {
  env.allocators.get(resourceKey(resource.type))?.release(object);
}
