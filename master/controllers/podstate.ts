/**
 * What the controllers ask about a pod. Pure; the meanings are those of the Kubernetes documentation.
 */
import { findCondition, isConditionTrue } from '../../src/api/meta.js';
import type { Pod } from '../../src/api/types.js';

export const isReady = (pod: Pod): boolean => isConditionTrue(pod.status?.conditions, 'Ready');

/** Ended for good: no container runs or will run again. */
export const isTerminal = (pod: Pod): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

/** Counts as a replica. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && !isTerminating(pod);

/**
 * Milliseconds until the pod has been ready for `minReadySeconds`: 0 when it is available, undefined when it is not
 * even ready.
 */
export function availableInMs(pod: Pod, minReadySeconds: number, now: Date): number | undefined {
  const ready = findCondition(pod.status?.conditions, 'Ready');
  if (ready?.status !== 'True') return undefined;
  if (minReadySeconds === 0) return 0;
  if (!ready.lastTransitionTime) return undefined;
  return Math.max(0, Date.parse(ready.lastTransitionTime) + minReadySeconds * 1_000 - now.getTime());
}
