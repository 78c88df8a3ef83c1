/**
 * `topologySpreadConstraints`: a node is refused where its domain would have more than `maxSkew` matching pods above
 * the emptiest domain (`DoNotSchedule`), and is worse the more its domain has (`ScheduleAnyway`). Pure.
 */
import {
  type Constraint,
  compileConstraints,
  countDomains,
  type DomainCounts,
  hasKeys,
} from '../constraints.js';
import { labelOf, type NodeInfo } from '../nodeinfo.js';
import { type Filter, maxScore, type Score } from '../plugin.js';

const violated = ["node(s) didn't match pod topology spread constraints"];
const lacksLabel = ["node(s) didn't match pod topology spread constraints (missing required label)"];

interface Counted {
  constraint: Constraint;
  domains: DomainCounts;
}

/** The least of all domains; 0 while there are fewer than `minDomains`. */
function leastOf({ constraint, domains }: Counted): number {
  if (domains.size < constraint.minDomains) return 0;
  let least = Number.POSITIVE_INFINITY;
  for (const count of domains.values()) least = Math.min(least, count);
  return Number.isFinite(least) ? least : 0;
}

export const topologySpreadFilter: Filter = {
  name: 'PodTopologySpread',
  helpedBy: ['podGone', 'podPlaced', 'nodeGone', 'nodeLabels', 'nodeTaints'],
  prepare(pod, snapshot) {
    const constraints = compileConstraints(pod, 'DoNotSchedule');
    if (constraints.length === 0) return undefined;
    const counted = constraints.map((constraint) => {
      const domains = countDomains(constraint, constraints, snapshot.nodes, snapshot);
      return { constraint, domains, least: leastOf({ constraint, domains }) };
    });
    return (node) => {
      for (const { constraint, domains, least } of counted) {
        const domain = labelOf(node.labels, constraint.topologyKey);
        if (domain === undefined) return lacksLabel;
        const skew = (domains.get(domain) ?? 0) + constraint.selfMatch - least;
        if (skew > constraint.maxSkew) return violated;
      }
      return undefined;
    };
  },
};

/** Below every real score: nodes without the labels are last. */
const outside = -1;

export const topologySpreadScore: Score = {
  name: 'PodTopologySpread',
  weight: 8,
  prepare(pod, snapshot, candidates) {
    const constraints = compileConstraints(pod, 'ScheduleAnyway');
    if (constraints.length === 0) return undefined;
    const counted = constraints.map((constraint) => ({
      constraint,
      domains: countDomains(constraint, constraints, snapshot.nodes, snapshot),
      scale: Math.log(domainsOf(constraint, candidates) + 2),
    }));
    return {
      score(node) {
        if (!hasKeys(node, constraints)) return outside;
        return counted.reduce((sum, { constraint, domains, scale }) => {
          const count = domains.get(labelOf(node.labels, constraint.topologyKey) ?? '') ?? 0;
          return sum + count * scale + constraint.maxSkew - 1;
        }, 0);
      },
      normalize: preferLeast,
    };
  },
};

/** Domains with few nodes weigh less: a constraint over hosts must not drown one over zones. */
const domainsOf = ({ topologyKey }: Constraint, candidates: readonly NodeInfo[]): number =>
  new Set(candidates.map((node) => labelOf(node.labels, topologyKey))).size;

/** The least gets 100; the others lose in proportion to the most; nodes outside get 0. */
function preferLeast(scores: Float64Array): void {
  const inside = scores.filter((score) => score !== outside);
  const min = inside.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const max = inside.reduce((a, b) => Math.max(a, b), 0);
  for (const [i, score] of scores.entries()) {
    if (score === outside) scores[i] = 0;
    else scores[i] = max === 0 ? maxScore : (maxScore * (max + min - score)) / max;
  }
}
