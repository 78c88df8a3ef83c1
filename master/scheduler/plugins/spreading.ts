/**
 * Replicas go to different nodes when they can, without anybody asking: pods of one ReplicaSet first of all, and pods
 * behind one Service. Pure.
 *
 * Kubernetes does the same by default constraints. Here the nodes with the fewest replicas stand out from all others
 * by at least half of the score, so that with its weight no difference in free resources outweighs it.
 */
import type { NodeCounts, PodQuery } from '../matchindex.js';
import type { NodeInfo } from '../nodeinfo.js';
import { maxScore, type Score } from '../plugin.js';
import type { PodInfo } from '../podinfo.js';
import type { Snapshot } from '../snapshot.js';

/** A pod of the same owner counts more than any number of others behind the same Service. */
const ownerFactor = 100_000;

function serviceCounts(pod: PodInfo, snapshot: Snapshot): NodeCounts[] {
  return snapshot.serviceSelectors(pod).map((selector) => {
    const query: PodQuery = {
      key: `service ${pod.namespace} ${selector}`,
      namespaces: new Set([pod.namespace]),
      matches: (other) => !other.isTerminating && selector.matches(other.labels),
    };
    return snapshot.counts(query);
  });
}

export const defaultSpreading: Score = {
  name: 'DefaultSpreading',
  weight: 6,
  prepare(pod, snapshot) {
    const hasOwnSpread = (pod.spec.topologySpreadConstraints ?? []).length > 0;
    if (hasOwnSpread) return undefined;
    const byOwner = pod.owner ? snapshot.countsOfOwner(pod.owner) : undefined;
    const byService = serviceCounts(pod, snapshot);
    if (!byOwner?.size && byService.every((counts) => counts.size === 0)) return undefined;
    return {
      score: ({ name }: NodeInfo) =>
        byService.reduce((sum, counts) => sum + (counts.get(name) ?? 0), 0) +
        (byOwner?.get(name) ?? 0) * ownerFactor,
      normalize: preferFewest,
    };
  },
};

/** The fewest get 100; all others 50 down to 0 for the most. */
export function preferFewest(counts: Float64Array): void {
  const min = counts.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const max = counts.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  for (const [i, count] of counts.entries())
    counts[i] = count === min ? maxScore : ((max - count) / (max - min)) * (maxScore / 2);
}
