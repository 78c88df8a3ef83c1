/**
 * The affinity terms of placed pods, for the symmetric half of inter-pod affinity: what a pod that is there already
 * asks of one that comes. Replicas have equal terms, so terms are grouped and a cycle looks at each group once.
 * Called by the snapshot.
 */
import { change, type NodeCounts } from './matchindex.js';
import type { PodInfo } from './podinfo.js';
import type { Term, WeightedTerm } from './terms.js';

export interface TermGroup extends WeightedTerm {
  /** Where the pods with this term are. */
  nodes: NodeCounts;
}

export interface TermIndex {
  /** Required anti-affinity; weights mean nothing. */
  antiAffinity(): Iterable<TermGroup>;
  /** Preferred terms with their weights, and required affinity with weight 1, as kube-scheduler counts it. */
  wishes(): Iterable<TermGroup>;
  add(pod: PodInfo, node: string): void;
  remove(pod: PodInfo, node: string): void;
}

type Groups = Map<string, WeightedTerm & { nodes: Map<string, number> }>;

const requiredAffinityWeight = 1;

export function createTermIndex(): TermIndex {
  const antiAffinity: Groups = new Map();
  const wishes: Groups = new Map();

  function update({ terms }: PodInfo, node: string, by: 1 | -1): void {
    for (const term of terms.antiAffinity) updateGroup(antiAffinity, { term, weight: 0 }, node, by);
    for (const wish of terms.preferred) updateGroup(wishes, wish, node, by);
    for (const term of terms.affinity) updateGroup(wishes, weighted(term), node, by);
  }

  return {
    antiAffinity: () => antiAffinity.values(),
    wishes: () => wishes.values(),
    add: (pod, node) => update(pod, node, 1),
    remove: (pod, node) => update(pod, node, -1),
  };
}

const weighted = (term: Term): WeightedTerm => ({ term, weight: requiredAffinityWeight });

function updateGroup(groups: Groups, { term, weight }: WeightedTerm, node: string, by: 1 | -1): void {
  const key = `${weight} ${term.text}`;
  const group = groups.get(key) ?? { term, weight, nodes: new Map<string, number>() };
  change(group.nodes, node, by);
  if (group.nodes.size === 0) groups.delete(key);
  else groups.set(key, group);
}
