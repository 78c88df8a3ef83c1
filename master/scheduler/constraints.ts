/**
 * Topology spread constraints of a pod, compiled and counted: how many matching pods each domain has. Pure.
 * Called by both halves of the plugin, which filter (`DoNotSchedule`) and score (`ScheduleAnyway`).
 */
import { compileNodeSelector } from '../../src/api/nodeselector.js';
import { selectorOf } from '../../src/api/selectors.js';
import { tolerates } from '../../src/api/tolerations.js';
import type { TopologySpreadConstraint } from '../../src/api/types.js';
import type { NodeCounts, PodQuery } from './matchindex.js';
import { labelOf, type NodeInfo } from './nodeinfo.js';
import type { PodInfo } from './podinfo.js';
import type { Snapshot } from './snapshot.js';
import { narrow, requirementsOf } from './terms.js';

export interface Constraint {
  topologyKey: string;
  maxSkew: number;
  minDomains: number;
  query: PodQuery;
  /** The pod counts itself in the domain it would come to. */
  selfMatch: 0 | 1;
  /** Whether the node takes part: its domain counts, and its pods do. */
  includes(node: NodeInfo): boolean;
}

export type DomainCounts = ReadonlyMap<string, number>;

export function compileConstraints(
  pod: PodInfo,
  whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway',
): Constraint[] {
  const wanted = (pod.spec.topologySpreadConstraints ?? []).filter(
    (one) => one.whenUnsatisfiable === whenUnsatisfiable,
  );
  if (wanted.length === 0) return [];
  const isSelected = compileNodeSelector(pod.spec) ?? (() => true);
  return wanted.map((one) => compileConstraint(one, pod, isSelected));
}

function compileConstraint(
  constraint: TopologySpreadConstraint,
  pod: PodInfo,
  isSelected: (node: NodeInfo) => boolean,
): Constraint {
  const selector = narrow(
    selectorOf(constraint.labelSelector),
    requirementsOf(constraint.matchLabelKeys, pod.labels, 'in'),
  );
  const honorsSelector = constraint.nodeAffinityPolicy !== 'Ignore';
  const honorsTaints = constraint.nodeTaintsPolicy === 'Honor';
  return {
    topologyKey: constraint.topologyKey,
    maxSkew: constraint.maxSkew,
    minDomains: constraint.minDomains ?? 1,
    query: {
      key: `spread ${pod.namespace} ${constraint.labelSelector ? selector : 'nothing'}`,
      namespaces: new Set([pod.namespace]),
      matches: (other) => !other.isTerminating && selector.matches(other.labels),
    },
    selfMatch: selector.matches(pod.labels) ? 1 : 0,
    includes: (node) =>
      (!honorsSelector || isSelected(node)) &&
      (!honorsTaints || node.hardTaints.every((taint) => tolerates(pod.spec.tolerations, taint))),
  };
}

/** Matching pods by domain; domains without any are there with 0. Only nodes that have every key take part. */
export function countDomains(
  constraint: Constraint,
  all: readonly Constraint[],
  nodes: readonly NodeInfo[],
  snapshot: Snapshot,
): DomainCounts {
  const counts: NodeCounts = snapshot.counts(constraint.query);
  const domains = new Map<string, number>();
  for (const node of nodes) {
    if (!hasKeys(node, all) || !constraint.includes(node)) continue;
    const domain = labelOf(node.labels, constraint.topologyKey) ?? '';
    domains.set(domain, (domains.get(domain) ?? 0) + (counts.get(node.name) ?? 0));
  }
  return domains;
}

export const hasKeys = (node: NodeInfo, constraints: readonly Constraint[]): boolean =>
  constraints.every(({ topologyKey }) => labelOf(node.labels, topologyKey) !== undefined);
