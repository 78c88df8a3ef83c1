/**
 * Preferred inter-pod affinity, both ways: what the pod wishes of those that are there, and what they wish of it. Pure.
 * A wish counts its weight once for every pod it is about, in the domain where that pod is.
 */
import { type Domains, domainOf, queryOf, sumByDomain } from '../domains.js';
import { type Score, scaleToRange } from '../plugin.js';
import type { PodInfo } from '../podinfo.js';
import type { Snapshot } from '../snapshot.js';
import { meansPod } from '../terms.js';

interface Attraction {
  topologyKey: string;
  weight: number;
  domains: Domains;
}

const ownWishes = ({ terms }: PodInfo, snapshot: Snapshot): Attraction[] =>
  terms.preferred.map(({ term, weight }) => ({
    topologyKey: term.topologyKey,
    weight,
    domains: sumByDomain(snapshot.counts(queryOf([term], snapshot)), term.topologyKey, snapshot),
  }));

const wishesOfOthers = (pod: PodInfo, snapshot: Snapshot): Attraction[] =>
  [...snapshot.terms.wishes()]
    .filter(({ term }) => meansPod(term, pod, snapshot.namespaceLabels))
    .map(({ term, weight, nodes }) => ({
      topologyKey: term.topologyKey,
      weight,
      domains: sumByDomain(nodes, term.topologyKey, snapshot),
    }));

export const podPreference: Score = {
  name: 'InterPodAffinity',
  weight: 8,
  prepare(pod, snapshot) {
    const attractions = [...ownWishes(pod, snapshot), ...wishesOfOthers(pod, snapshot)].filter(
      ({ domains }) => domains.size > 0,
    );
    if (attractions.length === 0) return undefined;
    return {
      score: (node) =>
        attractions.reduce((sum, { topologyKey, weight, domains }) => {
          const domain = domainOf(node, topologyKey);
          return domain === undefined ? sum : sum + weight * (domains.get(domain) ?? 0);
        }, 0),
      normalize: scaleToRange,
    };
  },
};
