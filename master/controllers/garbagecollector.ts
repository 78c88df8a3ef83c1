/**
 * 5. Deletes what belonged to objects that are gone, by `ownerReferences`, and carries out the propagation policies of
 * deletions. Decisions are in `garbageplan.ts`, the indexes in `ownergraph.ts`.
 *
 *   Background: the owner goes at once; its dependents find their owner absent and follow.
 *   Foreground: finalizer `foregroundDeletion` holds the owner until the dependents that block it are gone.
 *   Orphan:     finalizer `orphan` holds the owner until no dependent names it any more.
 *
 * That an owner is absent is confirmed by a live read before anything is deleted: a cache may be behind.
 */
import { isReason } from '../../src/api/errors.js';
import type { ResourceType } from '../../src/api/kinds.js';
import { refOf } from '../../src/api/meta.js';
import type { KubeObject, OwnerReference } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import type { FollowedTypes } from '../resources/followed.js';
import type { ControllerContext } from './context.js';
import {
  blocking,
  foregroundFinalizer,
  hasFinalizer,
  isWaiting,
  type OwnerState,
  orphanFinalizer,
  plan,
} from './garbageplan.js';
import { createOwnerGraph, type GraphNode, graphKey, ownerRef } from './ownergraph.js';

export function createGarbageCollector(context: ControllerContext, types: FollowedTypes): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('garbage-collector-controller');
  const graph = createOwnerGraph(informers, types);

  async function reconcile(key: string): Promise<ReconcileResult> {
    const node = graph.resolve(key);
    if (!node) return undefined;
    if (node.object.metadata.deletionTimestamp) {
      if (hasFinalizer(node.object, orphanFinalizer)) await orphanDependents(node);
      else if (hasFinalizer(node.object, foregroundFinalizer)) await deleteDependents(node);
      return undefined;
    }
    await collect(node);
    return undefined;
  }

  async function collect({ type, object }: GraphNode): Promise<void> {
    const references = object.metadata.ownerReferences ?? [];
    if (references.length === 0) return;
    const owners = await Promise.all(
      references.map(async (reference) => ({ reference, state: await stateOf({ type, object }, reference) })),
    );
    const dependents = graph.dependentsOf(object.metadata.uid ?? '').map((dependent) => dependent.object);
    const decision = plan(object, owners, dependents);
    if (decision.do === 'disown') await disown({ type, object }, decision.uids);
    if (decision.do === 'unblock') await unblock({ type, object });
    if (decision.do !== 'delete') return;
    const { uid = '', resourceVersion = '' } = object.metadata;
    const { propagationPolicy } = decision;
    await ifFound(
      client.delete(type, refOf(object), { propagationPolicy, preconditions: { uid, resourceVersion } }),
    );
    log.debug({ kind: type.kind, name: object.metadata.name }, 'deleted an object whose owners are gone');
  }

  async function stateOf(dependent: GraphNode, reference: OwnerReference): Promise<OwnerState> {
    const type = graph.typeOf(reference);
    if (!type) return 'unknown';
    if (type.namespaced && !dependent.type.namespaced) {
      const text = `ownerRef ${reference.kind} "${reference.name}" is namespaced, but the object is cluster-scoped`;
      recorder.event(dependent.object, 'Warning', 'OwnerRefInvalidNamespace', text);
      return 'unknown';
    }
    const ref = ownerRef(type, refOf(dependent.object), reference);
    const cached = graph.byUid(reference.uid);
    const isInPlace = cached && (!type.namespaced || cached.object.metadata.namespace === ref.namespace);
    if (isInPlace) return isWaiting(cached.object) ? 'waiting' : 'solid';
    try {
      const live = await client.get(type, ref);
      if (live.metadata.uid !== reference.uid) return 'absent';
      return isWaiting(live) ? 'waiting' : 'solid';
    } catch (error) {
      if (isReason(error, 'NotFound')) return 'absent';
      throw error;
    }
  }

  /** Foreground: sends the dependents away, and lets the owner go once none blocks it any more. */
  async function deleteDependents(owner: GraphNode): Promise<void> {
    const uid = owner.object.metadata.uid ?? '';
    const dependents = graph.dependentsOf(uid);
    for (const dependent of dependents) await collect(dependent);
    const objects = dependents.map(({ object }) => object);
    if (blocking(uid, objects).length === 0) await removeFinalizer(owner, foregroundFinalizer);
  }

  async function orphanDependents(owner: GraphNode): Promise<void> {
    const uid = owner.object.metadata.uid ?? '';
    for (const dependent of graph.dependentsOf(uid)) await disown(dependent, [uid]);
    await removeFinalizer(owner, orphanFinalizer);
  }

  async function disown({ type, object }: GraphNode, uids: readonly string[]): Promise<void> {
    const kept = (object.metadata.ownerReferences ?? []).filter((reference) => !uids.includes(reference.uid));
    await patchMetadata(type, object, { ownerReferences: kept.length > 0 ? kept : null });
  }

  /** The change wakes the object again, and whoever waits for it. */
  async function unblock({ type, object }: GraphNode): Promise<void> {
    const references = object.metadata.ownerReferences ?? [];
    const ownerReferences = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
    await patchMetadata(type, object, { ownerReferences });
  }

  async function removeFinalizer({ type, object }: GraphNode, name: string): Promise<void> {
    const kept = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== name);
    await patchMetadata(type, object, { finalizers: kept.length > 0 ? kept : null });
  }

  async function patchMetadata(
    type: ResourceType,
    object: KubeObject,
    change: Record<string, unknown>,
  ): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const body = { metadata: { uid, resourceVersion, ...change } };
    await ifFound(client.patch(type, refOf(object), { type: 'merge', body }));
  }

  /** Only changes that matter for ownership wake anybody. */
  const keysOf =
    (type: ResourceType) =>
    ({ old, current }: Change<KubeObject>): string[] => {
      const keys = new Set<string>();
      if (current && ownership(current) !== ownership(old)) keys.add(graphKey(type, current));
      if (old && !current) {
        for (const dependent of graph.dependentsOf(old.metadata.uid ?? '')) {
          keys.add(graphKey(dependent.type, dependent.object));
        }
      }
      if (old && ownership(old) !== ownership(current)) {
        // An owner may wait for this object to go, or to let go.
        for (const { uid } of old.metadata.ownerReferences ?? []) {
          const owner = graph.byUid(uid);
          if (owner && isWaiting(owner.object)) keys.add(graphKey(owner.type, owner.object));
        }
      }
      return [...keys];
    };

  return createController({
    name: 'garbagecollector',
    reconciler: { reconcile },
    sources: [
      {
        whenSynced: (signal) => graph.whenSynced(signal),
        subscribe: (enqueue) =>
          graph.follow(({ type, informer }) => {
            const keys = keysOf(type);
            return informer.onChange((change) => {
              for (const key of keys(change)) enqueue(key);
            });
          }),
      },
    ],
    workers: 8,
    clock,
    log,
  });
}

/** What the collector looks at; empty for an object that has nothing to do with it, or is gone. */
function ownership(object: KubeObject | undefined): string {
  if (!object) return '';
  const { ownerReferences, deletionTimestamp, finalizers } = object.metadata;
  if (!ownerReferences && !deletionTimestamp) return '';
  return JSON.stringify([ownerReferences, deletionTimestamp && finalizers, Boolean(deletionTimestamp)]);
}
