/**
 * Resources: a node must have room for what the pod requests; of those that have, the emptier and the more evenly used
 * one is better. Pure. Requests count, not use, as in Kubernetes.
 */
import type { NodeInfo } from '../nodeinfo.js';
import { type Filter, maxScore, type Score } from '../plugin.js';
import type { PodInfo } from '../podinfo.js';

/** A request of 0 fits anywhere, even where more than there is has been promised. */
const lacks = (request: number, allocatable: number, requested: number): boolean =>
  request > 0 && request > allocatable - requested;

/** Sets a bit for everything that the node has too little of, in the order of `names`; in a full cluster this is all we do. */
function shortages(pod: PodInfo, others: readonly (readonly [string, number])[], node: NodeInfo): number {
  const { requests } = pod;
  const { allocatable, requested } = node;
  let short = node.pods.size + 1 > allocatable.pods ? 1 : 0;
  if (lacks(requests.milliCpu, allocatable.milliCpu, requested.milliCpu)) short |= 2;
  if (lacks(requests.memory, allocatable.memory, requested.memory)) short |= 4;
  if (lacks(requests.ephemeralStorage, allocatable.ephemeralStorage, requested.ephemeralStorage)) short |= 8;
  for (let i = 0; i < others.length; i++) {
    const [name = '', amount = 0] = others[i] ?? [];
    if (lacks(amount, allocatable.others.get(name) ?? 0, requested.others.get(name) ?? 0)) short |= 16 << i;
  }
  return short;
}

export const resourceFit: Filter = {
  name: 'NodeResourcesFit',
  helpedBy: ['podGone', 'nodeResources'],
  prepare(pod) {
    const others = [...pod.requests.others];
    const names = [
      'Too many pods',
      ...['cpu', 'memory', 'ephemeral-storage', ...pod.requests.others.keys()].map(
        (name) => `Insufficient ${name}`,
      ),
    ];
    /** One list for all nodes with the same shortages. */
    const reasons = new Map<number, readonly string[]>();
    return (node) => {
      const short = shortages(pod, others, node);
      if (short === 0) return undefined;
      const known = reasons.get(short) ?? names.filter((_, bit) => short & (1 << bit));
      reasons.set(short, known);
      return known;
    };
  },
};

const freeShare = (used: number, total: number): number =>
  total === 0 || used > total ? 0 : ((total - used) * maxScore) / total;

export const leastAllocated: Score = {
  name: 'NodeResourcesFit',
  weight: 1,
  prepare: ({ scoreRequests }) => ({
    score: ({ scored, allocatable }) =>
      (freeShare(scored.milliCpu + scoreRequests.milliCpu, allocatable.milliCpu) +
        freeShare(scored.memory + scoreRequests.memory, allocatable.memory)) /
      2,
  }),
};

const share = (used: number, total: number): number => (total === 0 ? 1 : Math.min(used / total, 1));

export const balancedAllocation: Score = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  prepare({ requests }) {
    if (requests.milliCpu === 0 && requests.memory === 0) return undefined;
    return {
      score({ requested, allocatable }) {
        const cpu = share(requested.milliCpu + requests.milliCpu, allocatable.milliCpu);
        const memory = share(requested.memory + requests.memory, allocatable.memory);
        // Half the distance is the standard deviation of two values.
        return (1 - Math.abs(cpu - memory) / 2) * maxScore;
      },
    };
  },
};
