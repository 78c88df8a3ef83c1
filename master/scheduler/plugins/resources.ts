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

function isShort({ requests }: PodInfo, { allocatable, requested, pods }: NodeInfo): boolean {
  if (pods.size + 1 > allocatable.pods) return true;
  if (lacks(requests.milliCpu, allocatable.milliCpu, requested.milliCpu)) return true;
  if (lacks(requests.memory, allocatable.memory, requested.memory)) return true;
  if (lacks(requests.ephemeralStorage, allocatable.ephemeralStorage, requested.ephemeralStorage)) return true;
  for (const [name, amount] of requests.others)
    if (lacks(amount, allocatable.others.get(name) ?? 0, requested.others.get(name) ?? 0)) return true;
  return false;
}

function shortages({ requests }: PodInfo, { allocatable, requested, pods }: NodeInfo): string[] {
  const basic = [
    ['cpu', 'milliCpu'],
    ['memory', 'memory'],
    ['ephemeral-storage', 'ephemeralStorage'],
  ] as const;
  return [
    ...(pods.size + 1 > allocatable.pods ? ['Too many pods'] : []),
    ...basic
      .filter(([, field]) => lacks(requests[field], allocatable[field], requested[field]))
      .map(([name]) => `Insufficient ${name}`),
    ...[...requests.others]
      .filter(([name, n]) => lacks(n, allocatable.others.get(name) ?? 0, requested.others.get(name) ?? 0))
      .map(([name]) => `Insufficient ${name}`),
  ];
}

export const resourceFit: Filter = {
  name: 'NodeResourcesFit',
  helpedBy: ['podGone', 'nodeResources'],
  prepare: (pod) => (node) => (isShort(pod, node) ? shortages(pod, node) : undefined),
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
