/**
 * Contract: what every object has: names, keys, owners, conditions. Pure.
 */
import type { Condition, KubeObject, ObjectMeta, OwnerReference } from './types.js';

/** Where an object lives. `namespace` is absent for cluster-scoped kinds. */
export interface ObjectRef {
  namespace?: string | undefined;
  name: string;
}

/** `namespace/name`, or `name` for cluster-scoped objects; the key of caches and queues. */
export const keyOf = (object: { metadata: Pick<ObjectMeta, 'namespace' | 'name'> }): string =>
  keyOfRef({ namespace: object.metadata.namespace, name: object.metadata.name ?? '' });

export const keyOfRef = (ref: ObjectRef): string =>
  ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name;

export const refOf = (object: KubeObject): ObjectRef => ({
  namespace: object.metadata.namespace,
  name: object.metadata.name ?? '',
});

/** The inverse of `keyOf`. */
export function parseKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The one owner that manages the object (`controller: true`), if any. */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((owner) => owner.controller === true);

/** The reference a controller puts on what it creates; deletion of the owner waits for it in the foreground. */
export function controllerRef(owner: KubeObject, type: { apiVersion: string; kind: string }): OwnerReference {
  return {
    apiVersion: type.apiVersion,
    kind: type.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

export const findCondition = <T extends Condition>(
  conditions: readonly T[] | undefined,
  type: string,
): T | undefined => conditions?.find((condition) => condition.type === type);

export const isConditionTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True';

/**
 * Returns the list with `next` in the place of the condition of its type. `lastTransitionTime` is kept when the status
 * did not change, as Kubernetes documents it.
 */
export function withCondition<T extends Condition>(conditions: readonly T[] | undefined, next: T): T[] {
  const old = findCondition(conditions, next.type);
  const merged =
    old?.status === next.status && old.lastTransitionTime
      ? { ...next, lastTransitionTime: old.lastTransitionTime }
      : next;
  if (!old) return [...(conditions ?? []), merged];
  return (conditions ?? []).map((condition) => (condition.type === next.type ? merged : condition));
}
