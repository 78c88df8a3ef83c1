/**
 * The decisions of the replicaset controller: how many pods to make, which to delete first, and the status. Pure.
 */

import { findCondition, withCondition } from '../../src/api/meta.js';
import { selectorOfLabels } from '../../src/api/selectors.js';
import type { Pod, ReplicaSet, ReplicaSetStatus } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import { availableInMs, isActive, isReady } from './podstate.js';

/** Pods created or deleted in one pass at most, as in Kubernetes. */
const burst = 500;

export interface ScalePlan {
  create: number;
  delete: Pod[];
}

/**
 * `owned` are the replica set's pods; `related` all active pods of the same application (of every replica set with the
 * same owner), which decide how crowded a node is.
 */
export function plan(
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  related: readonly Pod[],
  now: Date,
): ScalePlan {
  const active = owned.filter(isActive);
  const missing = (replicaSet.spec?.replicas ?? 1) - active.length;
  if (missing >= 0) return { create: Math.min(missing, burst), delete: [] };
  const surplus = Math.min(-missing, burst);
  return { create: 0, delete: deletionOrder(active, related, now).slice(0, surplus) };
}

/**
 * Who goes first, as documented for scaling down: not assigned, then pending, then not ready, then the lower
 * `controller.kubernetes.io/pod-deletion-cost`, then on the more crowded node, then ready for a shorter time, then
 * more restarts, then younger. Times are compared by order of magnitude, so that equals are not always chosen by age.
 */
export function deletionOrder(pods: readonly Pod[], related: readonly Pod[], now: Date): Pod[] {
  const crowd = new Map<string, number>();
  for (const pod of related) {
    const node = pod.spec?.nodeName ?? '';
    crowd.set(node, (crowd.get(node) ?? 0) + 1);
  }
  const ranks: ((pod: Pod) => number)[] = [
    (pod) => (pod.spec?.nodeName ? 1 : 0),
    (pod) => ({ Pending: 0, Unknown: 1, Running: 2 })[pod.status?.phase ?? 'Pending'] ?? 0,
    (pod) => (isReady(pod) ? 1 : 0),
    (pod) => Number(pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'] ?? 0) || 0,
    (pod) => -(crowd.get(pod.spec?.nodeName ?? '') ?? 0),
    (pod) =>
      isReady(pod) ? magnitude(findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime, now) : 0,
    (pod) => -restarts(pod),
    (pod) => magnitude(pod.metadata.creationTimestamp, now),
  ];
  const ranked = pods.map((pod) => ({ pod, rank: ranks.map((rank) => rank(pod)) }));
  ranked.sort((a, b) => compareLists(a.rank, b.rank) || compareText(a.pod.metadata.uid, b.pod.metadata.uid));
  return ranked.map(({ pod }) => pod);
}

/** Age on a scale of powers of two; unknown counts as brand new. */
const magnitude = (since: string | undefined, now: Date): number =>
  since ? Math.floor(Math.log2(Math.max(1, (now.getTime() - Date.parse(since)) / 1_000))) : 0;

const restarts = (pod: Pod): number =>
  (pod.status?.containerStatuses ?? []).reduce((most, status) => Math.max(most, status.restartCount ?? 0), 0);

function compareLists(a: readonly number[], b: readonly number[]): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] ?? 0;
    if (left !== right) return left - right;
  }
  return 0;
}

const compareText = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);

/** Why the last pass could not reach the wanted number; shown as the condition ReplicaFailure. */
export interface Failure {
  reason: 'FailedCreate' | 'FailedDelete';
  message: string;
}

export interface StatusPlan {
  status: ReplicaSetStatus;
  /** When the next ready pod becomes available; undefined when none is waiting. */
  nextAvailableMs: number | undefined;
}

export function planStatus(
  replicaSet: ReplicaSet,
  owned: readonly Pod[],
  failure: Failure | undefined,
  now: Date,
): StatusPlan {
  const active = owned.filter(isActive);
  const templateLabels = selectorOfLabels(replicaSet.spec?.template?.metadata?.labels);
  const waits = active.map((pod) => availableInMs(pod, replicaSet.spec?.minReadySeconds ?? 0, now));
  const pending = waits.filter((ms): ms is number => ms !== undefined && ms > 0);
  const conditions = planConditions(replicaSet, failure, now);
  return {
    status: {
      replicas: active.length,
      fullyLabeledReplicas: active.filter((pod) => templateLabels.matches(pod.metadata.labels)).length,
      readyReplicas: active.filter(isReady).length,
      availableReplicas: waits.filter((ms) => ms === 0).length,
      observedGeneration: replicaSet.metadata.generation,
      ...(conditions.length > 0 && { conditions }),
    },
    nextAvailableMs: pending.length > 0 ? Math.min(...pending) : undefined,
  };
}

/**
 * A failure for the same reason is not told anew, as in Kubernetes: its message names the pod that was not made, another
 * one each time, and every write of the status would be a reason to try again at once.
 */
function planConditions(replicaSet: ReplicaSet, failure: Failure | undefined, now: Date) {
  const before = replicaSet.status?.conditions ?? [];
  if (!failure) return before.filter((condition) => condition.type !== 'ReplicaFailure');
  if (findCondition(before, 'ReplicaFailure')?.reason === failure.reason) return before;
  const next = { type: 'ReplicaFailure', status: 'True', lastTransitionTime: toTime(now), ...failure };
  return withCondition(before, next);
}
