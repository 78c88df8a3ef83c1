/**
 * The decisions of the disruption controller: how many pods an application should have, how many of them are healthy,
 * and how many may be evicted. Pure.
 */

import { resolvePercent } from '../../src/api/intorstring.js';
import { withCondition } from '../../src/api/meta.js';
import type {
  Pod,
  PodDisruptionBudget,
  PodDisruptionBudgetSpec,
  PodDisruptionBudgetStatus,
} from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import { isReady } from './podstate.js';

/** An eviction was granted and the pod is still there: after this long it does not count as disrupted any more. */
const deletionTimeoutMs = 2 * 60 * 1000;

export interface BudgetPlan {
  status: PodDisruptionBudgetStatus;
  /** When the first eviction that was granted is forgotten. */
  recheckMs: number | undefined;
  /** Pods that were to be evicted and were not. */
  stayed: readonly string[];
}

/** `pods` are those the budget selects, `scale` what their controllers want in sum. */
export function planBudget(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  scale: number,
  now: Date,
): BudgetPlan {
  const { expected, desired } = wanted(budget.spec ?? {}, pods, scale);
  const { disrupted, recheckMs, stayed } = stillDisrupted(budget, pods, now);
  const healthy = pods.filter(
    (pod) => !pod.metadata.deletionTimestamp && !disrupted[pod.metadata.name ?? ''] && isReady(pod),
  ).length;
  const allowed = expected > 0 ? Math.max(0, healthy - desired) : 0;
  const condition = {
    type: 'DisruptionAllowed',
    status: allowed > 0 ? 'True' : 'False',
    reason: allowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  };
  return {
    status: {
      ...(Object.keys(disrupted).length > 0 && { disruptedPods: disrupted }),
      ...observed(budget, condition, now),
      disruptionsAllowed: allowed,
      currentHealthy: healthy,
      desiredHealthy: desired,
      expectedPods: expected,
    },
    recheckMs,
    stayed,
  };
}

/** While it is unknown how many pods there should be, none may go. */
export function failedStatus(
  budget: PodDisruptionBudget,
  message: string,
  now: Date,
): PodDisruptionBudgetStatus {
  const condition = { type: 'DisruptionAllowed', status: 'False', reason: 'SyncFailed', message };
  const { disruptionsAllowed: _none, ...rest } = budget.status ?? {};
  return { ...rest, ...observed(budget, condition, now), disruptionsAllowed: 0 };
}

/** Whether the sum of what controllers want matters; an absolute minimum needs nobody's numbers. */
export const needsScale = ({ minAvailable, maxUnavailable }: PodDisruptionBudgetSpec): boolean =>
  maxUnavailable !== undefined || typeof minAvailable === 'string';

function wanted(
  { minAvailable, maxUnavailable }: PodDisruptionBudgetSpec,
  pods: readonly Pod[],
  scale: number,
): { expected: number; desired: number } {
  if (maxUnavailable !== undefined)
    return { expected: scale, desired: Math.max(0, scale - resolvePercent(maxUnavailable, scale, 'up')) };
  if (typeof minAvailable === 'string')
    return { expected: scale, desired: resolvePercent(minAvailable, scale, 'up') };
  return { expected: pods.length, desired: minAvailable ?? 0 };
}

/** Granted evictions whose pods are still there and not on their way out, for as long as they are to be believed. */
function stillDisrupted(
  { status }: PodDisruptionBudget,
  pods: readonly Pod[],
  now: Date,
): { disrupted: Record<string, string>; recheckMs: number | undefined; stayed: string[] } {
  const byName = new Map(pods.map((pod) => [pod.metadata.name ?? '', pod]));
  const disrupted: Record<string, string> = {};
  const stayed: string[] = [];
  let recheckMs: number | undefined;
  for (const [name, time] of Object.entries(status?.disruptedPods ?? {})) {
    const pod = byName.get(name);
    if (!pod || pod.metadata.deletionTimestamp) continue;
    const leftMs = Date.parse(time) + deletionTimeoutMs - now.getTime();
    if (leftMs <= 0) {
      stayed.push(name);
      continue;
    }
    disrupted[name] = time;
    recheckMs = Math.min(recheckMs ?? leftMs, leftMs);
  }
  return { disrupted, recheckMs, stayed };
}

type BudgetCondition = NonNullable<PodDisruptionBudgetStatus['conditions']>[number];

function observed(
  { metadata, status }: PodDisruptionBudget,
  condition: Omit<BudgetCondition, 'lastTransitionTime'>,
  now: Date,
): PodDisruptionBudgetStatus {
  const generation = metadata.generation !== undefined && { observedGeneration: metadata.generation };
  const next: BudgetCondition = { ...condition, ...generation, lastTransitionTime: toTime(now) };
  return { ...generation, conditions: withCondition(status?.conditions, next) };
}
