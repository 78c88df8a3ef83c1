/**
 * 5. Keeps as many pods of a ReplicaSet running as it asks for. Decisions are in `replicasetplan.ts`.
 *
 * A pass: claim pods by selector -> wait for the cache to show what was written before -> create or delete -> status.
 * The status is written even when creating failed; the failure is then thrown again, for the backoff.
 */
import { isDeepStrictEqual } from 'node:util';
import { isReason } from '../../src/api/errors.js';
import { pods, replicaSets } from '../../src/api/kinds.js';
import { controllerOf, controllerRef, keyOf, keyOfRef, refOf } from '../../src/api/meta.js';
import { selectorOf } from '../../src/api/selectors.js';
import type { Pod, ReplicaSet, ReplicaSetStatus } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { executeClaims, planClaims } from './claims.js';
import { type ControllerContext, ownedOrOrphaned, podInformer, replicaSetInformer } from './context.js';
import { createExpectations } from './expectations.js';
import { isActive } from './podstate.js';
import { type Failure, plan, planStatus, type ScalePlan } from './replicasetplan.js';

/** How long at most a pass waits for the cache; it is woken before by the pods' changes. */
const staleCacheMs = 30_000;
const workers = 8;

export function createReplicaSetController(context: ControllerContext): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('replicaset-controller');
  const podCache = podInformer(informers);
  const cache = replicaSetInformer(informers);
  const expectations = createExpectations<Pod>(podCache, () => podCache.resourceVersion());

  async function reconcile(key: string): Promise<ReconcileResult> {
    const replicaSet = cache.getByKey(key);
    if (!replicaSet) {
      expectations.forget(key);
      return undefined;
    }
    const claims = planClaims(
      replicaSet,
      selectorOf(replicaSet.spec?.selector),
      ownedOrOrphaned(podCache, replicaSet),
    );
    const owned = await executeClaims(
      { client, ownerType: replicaSets, owner: replicaSet, type: pods },
      claims,
    );
    const isSettled = expectations.areMet(key);
    const steps: ScalePlan =
      isSettled && !replicaSet.metadata.deletionTimestamp
        ? plan(replicaSet, owned, relatedPods(replicaSet), clock.now())
        : { create: 0, delete: [] };

    const [outcome] = await Promise.allSettled([scale(replicaSet, steps)]);
    const failure = outcome.status === 'rejected' ? failureOf(steps, outcome.reason) : undefined;
    const { status, nextAvailableMs } = planStatus(replicaSet, owned, failure, clock.now());
    await writeStatus(replicaSet, status);
    if (outcome.status === 'rejected') throw outcome.reason;
    if (!isSettled) return { requeueAfterMs: staleCacheMs };
    return nextAvailableMs === undefined ? undefined : { requeueAfterMs: nextAvailableMs };
  }

  /** Active pods of all replica sets of the same owner: during a rollout those of old and new count together. */
  function relatedPods(replicaSet: ReplicaSet): Pod[] {
    const owner = controllerOf(replicaSet);
    const siblings = owner ? cache.byIndex('controller', owner.uid) : [replicaSet];
    return siblings.flatMap((one) => podCache.byIndex('controller', one.metadata.uid ?? '')).filter(isActive);
  }

  async function scale(replicaSet: ReplicaSet, steps: ScalePlan): Promise<void> {
    await createSlowly(replicaSet, steps.create);
    await Promise.all(steps.delete.map((pod) => deletePod(replicaSet, pod)));
  }

  /** In batches of 1, 2, 4...: when pods are refused (a quota, say), only a few attempts are wasted. */
  async function createSlowly(replicaSet: ReplicaSet, count: number): Promise<void> {
    for (let made = 0, batch = 1; made < count; made += batch, batch *= 2) {
      await Promise.all(Array.from({ length: Math.min(batch, count - made) }, () => createPod(replicaSet)));
    }
  }

  async function createPod(replicaSet: ReplicaSet): Promise<void> {
    try {
      const pod = await client.create(pods, podFrom(replicaSet));
      expectations.created(keyOf(replicaSet), pod);
      recorder.event(replicaSet, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    } catch (error) {
      // The namespace goes away: nothing to report, and it ends with this replica set.
      if (isReason(error, 'Forbidden') && /being terminated/.test(error.message)) return;
      recorder.event(replicaSet, 'Warning', 'FailedCreate', `Error creating: ${textOf(error)}`);
      throw error;
    }
  }

  async function deletePod(replicaSet: ReplicaSet, pod: Pod): Promise<void> {
    try {
      await client.delete(pods, refOf(pod), { preconditions: { uid: pod.metadata.uid ?? '' } });
      expectations.deleted(keyOf(replicaSet), pod);
      recorder.event(replicaSet, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
    } catch (error) {
      if (isReason(error, 'NotFound')) return;
      recorder.event(replicaSet, 'Warning', 'FailedDelete', `Error deleting: ${textOf(error)}`);
      throw error;
    }
  }

  async function writeStatus(replicaSet: ReplicaSet, status: ReplicaSetStatus): Promise<void> {
    if (isDeepStrictEqual({ ...replicaSet.status }, status)) return;
    await ifFound(client.update(replicaSets, { ...replicaSet, status }, { subresource: 'status' }));
  }

  /** The pod's replica set; for an orphan every one whose selector matches, so that one of them adopts it. */
  function keysOfPod({ old, current }: Change<Pod>): Iterable<string> {
    const keys = new Set<string>();
    for (const pod of [old, current]) {
      if (!pod) continue;
      const owner = controllerOf(pod);
      if (owner?.kind === 'ReplicaSet')
        keys.add(keyOfRef({ namespace: pod.metadata.namespace, name: owner.name }));
      if (owner) continue;
      for (const replicaSet of cache.list(pod.metadata.namespace)) {
        if (selectorOf(replicaSet.spec?.selector).matches(pod.metadata.labels)) keys.add(keyOf(replicaSet));
      }
    }
    return keys;
  }

  return createController({
    name: 'replicaset',
    reconciler: { reconcile },
    sources: [on(cache), on(podCache, keysOfPod)],
    workers,
    clock,
    log,
  });
}

function podFrom(replicaSet: ReplicaSet): Pod {
  const { metadata = {}, spec = { containers: [] } } = replicaSet.spec?.template ?? {};
  const { labels, annotations, finalizers } = metadata;
  return {
    metadata: {
      generateName: `${replicaSet.metadata.name}-`,
      namespace: replicaSet.metadata.namespace,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...(finalizers && { finalizers }),
      ownerReferences: [controllerRef(replicaSet, { apiVersion: 'apps/v1', kind: 'ReplicaSet' })],
    },
    spec,
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const failureOf = (steps: ScalePlan, error: unknown): Failure => ({
  reason: steps.create > 0 ? 'FailedCreate' : 'FailedDelete',
  message: textOf(error),
});
