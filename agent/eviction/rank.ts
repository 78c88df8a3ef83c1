/**
 * Whom to evict first. Pure; rules as documented ("Pod selection for kubelet eviction"): pods that use more than they
 * requested before the others, then the lower priority, then whoever is furthest above its request. A pod of which
 * nothing is known goes first. Processes are not requested: there only priority and number count.
 */
import { podRequests } from '../../src/api/podresources.js';
import type { Pod } from '../../src/api/types.js';
import type { Starved } from './signals.js';
import { type DiskParts, diskUse, type PodUse } from './usage.js';

export interface RankOptions {
  starved: Starved;
  /** Which part of a pod's disk counts, for a starved disk. */
  parts: DiskParts;
  useOf(pod: Pod): PodUse | undefined;
}

interface Entry {
  pod: Pod;
  isKnown: boolean;
  isOver: boolean;
  priority: number;
  /** Use above the request. */
  excess: number;
}

/** The first is the one to evict. */
export function rankForEviction(pods: readonly Pod[], options: RankOptions): Pod[] {
  return pods
    .map((pod) => entryOf(pod, options))
    .sort(
      (a, b) =>
        Number(a.isKnown) - Number(b.isKnown) ||
        Number(b.isOver) - Number(a.isOver) ||
        a.priority - b.priority ||
        b.excess - a.excess,
    )
    .map(({ pod }) => pod);
}

function entryOf(pod: Pod, { starved, parts, useOf }: RankOptions): Entry {
  const use = useOf(pod);
  const amount = use ? amountOf(use, starved, parts) : 0;
  const requests = podRequests(pod.spec ?? { containers: [] });
  const request = requestIn(requests, starved);
  return {
    pod,
    isKnown: use !== undefined,
    isOver: starved !== 'pids' && amount > request,
    priority: pod.spec?.priority ?? 0,
    excess: amount - request,
  };
}

function amountOf(use: PodUse, starved: Starved, parts: DiskParts): number {
  switch (starved) {
    case 'memory':
      return use.memoryBytes;
    case 'pids':
      return use.processes;
    case 'ephemeral-storage':
      return diskUse(use, parts).bytes;
    case 'inodes':
      return diskUse(use, parts).inodes;
  }
}

function requestIn({ memory, ephemeralStorage }: ReturnType<typeof podRequests>, starved: Starved): number {
  if (starved === 'memory') return memory;
  return starved === 'ephemeral-storage' ? ephemeralStorage : 0;
}
