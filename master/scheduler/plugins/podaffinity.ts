/**
 * Required inter-pod affinity and anti-affinity: of the pod that comes, and anti-affinity of those that are there. Pure.
 *
 * The first of a group of pods that want to be together finds nobody yet: a pod that its own terms mean may then go to
 * any node that has the topology labels.
 */
import { domainOf, queryOf, sumByDomain } from '../domains.js';
import type { Filter, NodeFilter } from '../plugin.js';
import type { PodInfo } from '../podinfo.js';
import type { Snapshot } from '../snapshot.js';
import { meansPod, type Term } from '../terms.js';

const affinityReasons = ["node(s) didn't match pod affinity rules"];
const antiAffinityReasons = ["node(s) didn't match pod anti-affinity rules"];
const existingReasons = ["node(s) didn't satisfy existing pods anti-affinity rules"];

interface Blocked {
  topologyKey: string;
  domains: { has(domain: string): boolean };
}

/** Domains where a pod is that does not want this one near. */
function blockedByOthers(pod: PodInfo, snapshot: Snapshot): Blocked[] {
  return [...snapshot.terms.antiAffinity()]
    .filter(({ term }) => meansPod(term, pod, snapshot.namespaceLabels))
    .map(({ term, nodes }) => ({
      topologyKey: term.topologyKey,
      domains: sumByDomain(nodes, term.topologyKey, snapshot),
    }));
}

const blockedByOwn = (terms: readonly Term[], snapshot: Snapshot): Blocked[] =>
  terms.map((term) => ({
    topologyKey: term.topologyKey,
    domains: sumByDomain(snapshot.counts(queryOf([term], snapshot)), term.topologyKey, snapshot),
  }));

function affinityOf(pod: PodInfo, snapshot: Snapshot): NodeFilter | undefined {
  const terms = pod.terms.affinity;
  if (terms.length === 0) return undefined;
  const counts = snapshot.counts(queryOf(terms, snapshot));
  const wanted = terms.map(({ topologyKey }) => ({
    topologyKey,
    domains: sumByDomain(counts, topologyKey, snapshot),
  }));
  const isFirst =
    wanted.every(({ domains }) => domains.size === 0) &&
    terms.every((term) => meansPod(term, pod, snapshot.namespaceLabels));
  return (node) => {
    for (const { topologyKey, domains } of wanted) {
      const domain = domainOf(node, topologyKey);
      if (domain === undefined || (!isFirst && !domains.has(domain))) return affinityReasons;
    }
    return undefined;
  };
}

function avoid(blocked: readonly Blocked[], reasons: readonly string[]): NodeFilter | undefined {
  if (blocked.length === 0) return undefined;
  return (node) => {
    for (const { topologyKey, domains } of blocked) {
      const domain = domainOf(node, topologyKey);
      if (domain !== undefined && domains.has(domain)) return reasons;
    }
    return undefined;
  };
}

export const podAffinityFilter: Filter = {
  name: 'InterPodAffinity',
  helpedBy: ['podGone', 'podPlaced', 'nodeLabels', 'namespaceLabels'],
  prepare(pod, snapshot) {
    const parts = [
      affinityOf(pod, snapshot),
      avoid(blockedByOwn(pod.terms.antiAffinity, snapshot), antiAffinityReasons),
      avoid(blockedByOthers(pod, snapshot), existingReasons),
    ].filter((part) => part !== undefined);
    if (parts.length === 0) return undefined;
    return (node) => {
      for (const part of parts) {
        const reasons = part(node);
        if (reasons) return reasons;
      }
      return undefined;
    };
  },
};
