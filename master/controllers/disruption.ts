/**
 * 5. Keeps the status of PodDisruptionBudgets true: how many of the pods they guard may be evicted now. The eviction
 * subresource takes from it. Decisions are in `disruptionplan.ts`.
 *
 * A budget is looked at when it or a pod it selects changes; what a pod's controller wants is read then, too.
 */
import { isDeepStrictEqual } from 'node:util';
import { isReason } from '../../src/api/errors.js';
import {
  deployments,
  podDisruptionBudgets,
  replicationControllers,
  statefulSets,
} from '../../src/api/kinds.js';
import { controllerOf, keyOf, type ObjectRef } from '../../src/api/meta.js';
import { selectorOf } from '../../src/api/selectors.js';
import type {
  OwnerReference,
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetStatus,
  ReplicationController,
  StatefulSet,
} from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type ControllerContext, podInformer, replicaSetInformer } from './context.js';
import { failedStatus, needsScale, planBudget } from './disruptionplan.js';

const workers = 2;

export function createDisruptionController(context: ControllerContext): Controller {
  const { client, clock, log, informers } = context;
  const recorder = context.recorder('controllermanager');
  const podCache = podInformer(informers);
  const replicaSetCache = replicaSetInformer(informers);
  const deploymentCache = informers.get(deployments);
  const cache = informers.get(podDisruptionBudgets);

  async function reconcile(key: string): Promise<ReconcileResult> {
    const budget = cache.getByKey(key);
    if (!budget || budget.metadata.deletionTimestamp) return undefined;
    const selector = selectorOf(budget.spec?.selector);
    const pods = podCache
      .list(budget.metadata.namespace)
      .filter(({ metadata }) => selector.matches(metadata.labels));
    if (pods.length === 0) recorder.event(budget, 'Normal', 'NoPods', 'No matching pods found');
    const scale = needsScale(budget.spec ?? {}) ? await scaleOf(budget, pods) : 0;
    if (typeof scale === 'string') {
      const message = `Failed to calculate the number of expected pods: ${scale}`;
      recorder.event(budget, 'Warning', 'CalculateExpectedPodCountFailed', message);
      await writeStatus(budget, failedStatus(budget, scale, clock.now()));
      return undefined;
    }
    const { status, recheckMs, stayed } = planBudget(budget, pods, scale, clock.now());
    for (const pod of pods.filter(({ metadata }) => stayed.includes(metadata.name ?? ''))) {
      const message = `Pod was expected by PDB ${key} to be deleted but it wasn't`;
      recorder.event(pod, 'Warning', 'NotDeleted', message);
    }
    await writeStatus(budget, status);
    return recheckMs === undefined ? undefined : { requeueAfterMs: recheckMs };
  }

  /** What the controllers of the pods want in sum; a text when that cannot be known. */
  async function scaleOf(budget: PodDisruptionBudget, pods: readonly Pod[]): Promise<number | string> {
    const scales = new Map<string, number>();
    let unmanaged = 0;
    for (const pod of pods) {
      const owner = controllerOf(pod);
      if (!owner) {
        unmanaged += 1;
        continue;
      }
      if (scales.has(owner.uid)) continue;
      const found = await ownerScale(pod.metadata.namespace ?? '', owner);
      if (!found) return `found no controllers for pod ${JSON.stringify(pod.metadata.name)}`;
      scales.set(owner.uid, 0);
      scales.set(found.uid, found.replicas);
    }
    if (unmanaged > 0) recorder.event(budget, 'Warning', 'UnmanagedPods', unmanagedText(budget));
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  }

  /** Replica sets of a deployment share its number. */
  async function ownerScale(
    namespace: string,
    { kind, name, uid }: OwnerReference,
  ): Promise<{ uid: string; replicas: number } | undefined> {
    const ref: ObjectRef = { namespace, name };
    if (kind === 'ReplicaSet') {
      const set = replicaSetCache.get(ref);
      const owner = set && controllerOf(set);
      const deployment = owner && deploymentCache.get({ namespace, name: owner.name });
      if (owner?.kind === 'Deployment' && deployment)
        return { uid: owner.uid, replicas: deployment.spec?.replicas ?? 0 };
      return set && { uid, replicas: set.spec?.replicas ?? 0 };
    }
    try {
      if (kind === 'StatefulSet') return { uid, replicas: replicasOf(await client.get(statefulSets, ref)) };
      if (kind === 'ReplicationController')
        return { uid, replicas: replicasOf(await client.get(replicationControllers, ref)) };
      return undefined;
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  async function writeStatus(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): Promise<void> {
    if (isDeepStrictEqual({ ...budget.status }, status)) return;
    await ifFound(client.update(podDisruptionBudgets, { ...budget, status }, { subresource: 'status' }));
  }

  /** The budgets that select the pod, or did before it changed. */
  function keysOfPod({ old, current }: Change<Pod>): Iterable<string> {
    const keys = new Set<string>();
    const namespace = (current ?? old)?.metadata.namespace;
    for (const budget of cache.list(namespace)) {
      const selector = selectorOf(budget.spec?.selector);
      const isMeant = [old, current].some((pod) => pod && selector.matches(pod.metadata.labels));
      if (isMeant) keys.add(keyOf(budget));
    }
    return keys;
  }

  return createController({
    name: 'disruption',
    reconciler: { reconcile },
    sources: [
      on(cache),
      on(podCache, keysOfPod),
      on(replicaSetCache, () => []),
      on(deploymentCache, () => []),
    ],
    workers,
    clock,
    log,
  });
}

const replicasOf = ({ spec }: StatefulSet | ReplicationController): number => spec?.replicas ?? 0;

const unmanagedText = ({ spec }: PodDisruptionBudget): string =>
  `Pods selected by this PodDisruptionBudget (selector: ${selectorOf(spec?.selector).toString()}) were found to be ` +
  'unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined ' +
  'behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
