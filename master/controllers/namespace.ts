/**
 * 5. Empties a namespace that is being deleted, then lets it go (`finalize`). What is in it may have finalizers or a
 * grace period of its own: the conditions of the namespace then say what it waits for.
 */
import { isDeepStrictEqual } from 'node:util';
import { isReason } from '../../src/api/errors.js';
import { namespaces, pods, type ResourceType } from '../../src/api/kinds.js';
import { withCondition } from '../../src/api/meta.js';
import type { KubeObject, Namespace, NamespaceCondition } from '../../src/api/types.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { toTime } from '../../src/host/clock.js';
import type { FollowedTypes } from '../resources/followed.js';
import type { ControllerContext } from './context.js';

/** What is left of one kind. */
export interface Remaining {
  type: ResourceType;
  objects: readonly KubeObject[];
}

export type Decision =
  | { do: 'finalize'; namespace: Namespace }
  | { do: 'wait'; conditions: NamespaceCondition[]; ms: number };

const ownFinalizer = 'kubernetes';
/** How soon to look again at what waits for finalizers of others; pods wake us by their end. */
const recheckMs = 5_000;

/** What to do once everything has been asked to go. Pure. */
export function plan(namespace: Namespace, remaining: readonly Remaining[], now: Date): Decision {
  const left = remaining.filter(({ objects }) => objects.length > 0);
  if (left.length === 0) {
    const finalizers = (namespace.spec?.finalizers ?? []).filter((name) => name !== ownFinalizer);
    return { do: 'finalize', namespace: { ...namespace, spec: { ...namespace.spec, finalizers } } };
  }
  const contents = left.map(
    ({ type, objects }) => `${nameOf(type)} has ${objects.length} resource instances`,
  );
  const holders = new Map<string, number>();
  for (const object of left.flatMap(({ objects }) => objects)) {
    for (const name of object.metadata.finalizers ?? []) holders.set(name, (holders.get(name) ?? 0) + 1);
  }
  const held = [...holders].map(([name, count]) => `${name} in ${count} resource instances`);
  const at = toTime(now);
  const wanted: NamespaceCondition[] = [
    {
      type: 'NamespaceContentRemaining',
      status: 'True',
      lastTransitionTime: at,
      reason: 'SomeResourcesRemain',
      message: `Some resources are remaining: ${contents.join(', ')}`,
    },
    {
      type: 'NamespaceFinalizersRemaining',
      status: held.length > 0 ? 'True' : 'False',
      lastTransitionTime: at,
      reason: held.length > 0 ? 'SomeFinalizersRemain' : 'ContentHasNoFinalizers',
      message:
        held.length > 0
          ? `Some content in the namespace has finalizers remaining: ${held.join(', ')}`
          : 'All content-preserving finalizers finished',
    },
  ];
  const conditions = wanted.reduce<NamespaceCondition[]>(
    (list, condition) => withCondition(list, condition),
    namespace.status?.conditions ?? [],
  );
  return { do: 'wait', conditions, ms: recheckMs };
}

const nameOf = (type: ResourceType): string => `${type.resource}.${type.group}`;

export function createNamespaceController(context: ControllerContext, types: FollowedTypes): Controller {
  const { client, clock, log, informers } = context;
  const cache = informers.get(namespaces);
  const podCache = informers.get(pods);

  async function reconcile(key: string): Promise<ReconcileResult> {
    const namespace = cache.getByKey(key);
    if (!namespace?.metadata.deletionTimestamp || !namespace.spec?.finalizers?.includes(ownFinalizer))
      return undefined;
    const contents = types.list().filter((type) => type.namespaced);
    const remaining = await Promise.all(contents.map((type) => empty(type, key)));
    const decision = plan(namespace, remaining, clock.now());
    if (decision.do === 'finalize') {
      await ifFound(client.update(namespaces, decision.namespace, { subresource: 'finalize' }));
      return undefined;
    }
    if (!isDeepStrictEqual(namespace.status?.conditions, decision.conditions)) {
      const body = { status: { conditions: decision.conditions } };
      await ifFound(
        client.patch(namespaces, { name: key }, { type: 'merge', body }, { subresource: 'status' }),
      );
    }
    return { requeueAfterMs: decision.ms };
  }

  /** Asks all of a kind to go, and returns what is still there. */
  async function empty(type: ResourceType, namespace: string): Promise<Remaining> {
    try {
      const before = await client.list(type, { namespace });
      if (before.items.length === 0) return { type, objects: [] };
      await client.deleteCollection(type, { namespace }, { propagationPolicy: 'Background' });
      return { type, objects: (await client.list(type, { namespace })).items };
    } catch (error) {
      // The kind itself went in the meantime, and all of it.
      if (isReason(error, 'NotFound')) return { type, objects: [] };
      throw error;
    }
  }

  return createController({
    name: 'namespace',
    reconciler: { reconcile },
    sources: [
      on(cache),
      on(podCache, ({ old, current }) => (old && !current ? [old.metadata.namespace ?? ''] : [])),
    ],
    workers: 4,
    clock,
    log,
  });
}
