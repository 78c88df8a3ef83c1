/** Sums over the domains of a topology: pods that a term means, by the value of its label. Pure. */
import type { NodeCounts, PodQuery } from './matchindex.js';
import { labelOf, type NodeInfo } from './nodeinfo.js';
import type { Snapshot } from './snapshot.js';
import { meansNamespace, type Term } from './terms.js';

/** Pods by value of the label; nodes without it do not count. */
export type Domains = ReadonlyMap<string, number>;

/** Pods that all of the terms mean. */
export function queryOf(terms: readonly Term[], { namespaceLabels }: Snapshot): PodQuery {
  const named = [...namespaceLabels.keys()].filter((namespace) =>
    terms.every((term) => meansNamespace(term, namespace, namespaceLabels)),
  );
  // Namespaces that a term lists count even before their objects are seen.
  const listed = [...(terms[0]?.namespaces ?? [])].filter((namespace) =>
    terms.every((term) => meansNamespace(term, namespace, namespaceLabels)),
  );
  const namespaces = new Set([...named, ...listed].sort());
  return {
    key: `terms ${[...namespaces]} ${terms.map(({ text }) => text)}`,
    namespaces,
    // The namespaces are settled above: an index must count a pod out by the same answer as it counted it in.
    matches: (pod) => terms.every((term) => term.selector.matches(pod.labels)),
  };
}

export function sumByDomain(counts: NodeCounts, topologyKey: string, snapshot: Snapshot): Domains {
  const domains = new Map<string, number>();
  for (const [name, count] of counts) {
    const domain = domainOf(snapshot.node(name), topologyKey);
    if (domain !== undefined) domains.set(domain, (domains.get(domain) ?? 0) + count);
  }
  return domains;
}

export const domainOf = (node: NodeInfo | undefined, topologyKey: string): string | undefined =>
  node && labelOf(node.labels, topologyKey);
