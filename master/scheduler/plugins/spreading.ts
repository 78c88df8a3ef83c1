/**
 * Replicas go to different nodes, and of these to different zones, when they can, without anybody asking: pods of one
 * ReplicaSet first of all, and pods behind one Service. Pure.
 *
 * Kubernetes does the same by default constraints. Here the nodes with the fewest replicas stand out from all others
 * by at least half of the score, so that with its weight no difference in free resources outweighs it.
 */
import { domainOf, sumByDomain } from '../domains.js';
import type { NodeCounts, PodQuery } from '../matchindex.js';
import { maxScore, type Score } from '../plugin.js';
import type { PodInfo } from '../podinfo.js';
import type { Snapshot } from '../snapshot.js';

/** A pod of the same owner counts more than any number of others behind the same Service... */
const ownerFactor = 100_000;
/** ...and one on the node more than any number in its zone, which only chooses among equals. */
const zoneFactor = 1e-9;
const zoneLabel = 'topology.kubernetes.io/zone';

interface Weighted {
  counts: NodeCounts;
  factor: number;
}

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
    const groups: Weighted[] = serviceCounts(pod, snapshot).map((counts) => ({ counts, factor: 1 }));
    if (pod.owner) groups.push({ counts: snapshot.countsOfOwner(pod.owner), factor: ownerFactor });
    const replicas = groups.filter(({ counts }) => counts.size > 0);
    if (replicas.length === 0) return undefined;
    const zones = replicas.map(({ counts, factor }) => ({
      counts: sumByDomain(counts, zoneLabel, snapshot),
      factor: factor * zoneFactor,
    }));
    return {
      score(node) {
        const zone = domainOf(node, zoneLabel);
        return sumAt(replicas, node.name) + (zone === undefined ? 0 : sumAt(zones, zone));
      },
      normalize: preferFewest,
    };
  },
};

const sumAt = (groups: readonly Weighted[], place: string): number =>
  groups.reduce((sum, { counts, factor }) => sum + (counts.get(place) ?? 0) * factor, 0);

/** The fewest get 100; all others 50 down to 0 for the most. */
export function preferFewest(counts: Float64Array): void {
  const min = counts.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const max = counts.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  for (const [i, count] of counts.entries())
    counts[i] = count === min ? maxScore : ((max - count) / (max - min)) * (maxScore / 2);
}
