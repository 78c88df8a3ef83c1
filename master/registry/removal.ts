/**
 * 2. When an object that is being deleted may leave the store, and what a delete request makes of it. Pure.
 *
 *   live --delete--> gone                      (no finalizers, no grace period)
 *   live --delete--> terminating --> gone      (agent confirms with grace 0, or the last finalizer is removed)
 */
import type { KubeObject, ObjectMeta } from '../../src/api/types.js';
import type { DeleteOptions } from '../../src/client/client.js';
import { toTime } from '../../src/host/clock.js';
import type { Resource } from '../resources/resource.js';

/** Nothing holds it back any more: no finalizer, no grace period that still runs. */
export function mayLeave<T extends KubeObject>(resource: Resource<T>, object: T): boolean {
  const { finalizers, deletionGracePeriodSeconds } = object.metadata;
  if (finalizers && finalizers.length > 0) return false;
  if (resource.strategy.hasOwnFinalizers?.(object)) return false;
  return (deletionGracePeriodSeconds ?? 0) === 0;
}

/** The finalizers that a propagation policy asks for; without a policy those that are there stay. */
export function finalizersFor(
  policy: DeleteOptions['propagationPolicy'],
  existing: readonly string[] = [],
): string[] {
  if (!policy) return [...existing];
  const kept = existing.filter((name) => name !== 'orphan' && name !== 'foregroundDeletion');
  if (policy === 'Orphan') return [...kept, 'orphan'];
  return policy === 'Foreground' ? [...kept, 'foregroundDeletion'] : kept;
}

/** The object as a delete request leaves it: marked, with the grace period that now holds; it may only get shorter. */
export function marked<T extends KubeObject>(
  resource: Resource<T>,
  old: T,
  options: DeleteOptions,
  now: Date,
): T {
  const { metadata } = old;
  const isDecided = metadata.finalizers?.some((name) => name === 'orphan' || name === 'foregroundDeletion');
  const byDefault = resource.strategy.orphansByDefault && !isDecided ? 'Orphan' : undefined;
  const finalizers = finalizersFor(options.propagationPolicy ?? byDefault, metadata.finalizers);
  const asked = options.gracePeriodSeconds;
  const grace = resource.strategy.gracePeriodSeconds?.(old, asked) ?? 0;
  const kept: ObjectMeta = { ...metadata, finalizers: finalizers.length > 0 ? finalizers : undefined };
  if (!metadata.deletionTimestamp) {
    const generation = metadata.generation === undefined ? undefined : metadata.generation + 1;
    const at = toTime(new Date(now.getTime() + grace * 1000));
    return {
      ...old,
      metadata: { ...kept, generation, deletionTimestamp: at, deletionGracePeriodSeconds: grace },
    };
  }
  const running = metadata.deletionGracePeriodSeconds ?? 0;
  if (asked === undefined || grace >= running) return { ...old, metadata: kept };
  const at = new Date(Date.parse(metadata.deletionTimestamp) - (running - grace) * 1000);
  return { ...old, metadata: { ...kept, deletionTimestamp: toTime(at), deletionGracePeriodSeconds: grace } };
}
