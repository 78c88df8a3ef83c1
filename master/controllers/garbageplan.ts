/**
 * What becomes of an object whose owners are gone or going. Pure. Called by `garbagecollector.ts`, which finds the facts.
 */
import type { KubeObject, OwnerReference } from '../../src/api/types.js';

/**
 * `solid`: exists. `waiting`: exists, and its foreground deletion waits for its dependents. `absent`: no object of this
 * uid. `unknown`: of a kind we do not serve, or out of reach by the rules of namespaces; it holds on, as if solid.
 */
export type OwnerState = 'solid' | 'waiting' | 'absent' | 'unknown';

export type Decision =
  | { do: 'nothing' }
  /** Other owners keep it: only the references to those that are gone or going are dropped. */
  | { do: 'disown'; uids: string[] }
  /** First its references must block no owner any more; then one looks again. */
  | { do: 'unblock' }
  | { do: 'delete'; propagationPolicy: 'Background' | 'Foreground' | 'Orphan' };

export const foregroundFinalizer = 'foregroundDeletion';
export const orphanFinalizer = 'orphan';

export const hasFinalizer = (object: KubeObject, name: string): boolean =>
  object.metadata.finalizers?.includes(name) ?? false;

/** Being deleted in the foreground: its dependents go first. */
export const isWaiting = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined && hasFinalizer(object, foregroundFinalizer);

/** `dependents` name the object as their owner. One that itself waits for its own may close a circle, so nobody waits for it. */
export function plan(
  object: KubeObject,
  owners: readonly { reference: OwnerReference; state: OwnerState }[],
  dependents: readonly KubeObject[],
): Decision {
  if (owners.length === 0 || object.metadata.deletionTimestamp) return { do: 'nothing' };
  const going = owners.filter(({ state }) => state === 'absent' || state === 'waiting');
  if (going.length === 0) return { do: 'nothing' };
  if (going.length < owners.length)
    return { do: 'disown', uids: going.map(({ reference }) => reference.uid) };
  // Whoever waits for this object must also wait for what depends on it.
  if (going.some(({ state }) => state === 'waiting') && dependents.length > 0) {
    if (dependents.some(isWaiting) && owners.some(({ reference }) => reference.blockOwnerDeletion))
      return { do: 'unblock' };
    return { do: 'delete', propagationPolicy: 'Foreground' };
  }
  if (hasFinalizer(object, orphanFinalizer)) return { do: 'delete', propagationPolicy: 'Orphan' };
  return {
    do: 'delete',
    propagationPolicy: hasFinalizer(object, foregroundFinalizer) ? 'Foreground' : 'Background',
  };
}

/** The dependents that a foreground deletion still has to wait for. */
export const blocking = (ownerUid: string, dependents: readonly KubeObject[]): KubeObject[] =>
  dependents.filter((dependent) =>
    dependent.metadata.ownerReferences?.some(
      (reference) => reference.uid === ownerUid && reference.blockOwnerDeletion,
    ),
  );
