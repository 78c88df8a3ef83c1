/**
 * From requests and limits to what the kernel is told: shares, quotas, bytes, scores. Pure. Called by manager.ts.
 *
 * The numbers are Kubernetes': 1 CPU is 1024 shares, the period is 100 ms, a quota is at least 1 ms; a pod is limited
 * as a whole only if every container is. Everything is in cgroup v1 scale; `files.ts` translates.
 */
import { toBytes, toMilli } from '../../src/api/quantity.js';
import type { Container, Pod } from '../../src/api/types.js';
import type { LinuxResources } from '../runtime/runtime.js';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

export const minShares = 2;
const maxShares = 262_144;
const sharesPerCpu = 1024;
const periodMicros = 100_000;
const minQuotaMicros = 1000;

/** Priority from which on a pod is critical to its node (`system-cluster-critical` and above). */
const criticalPriority = 2_000_000_000;

/** What the kernel takes. */
export const clampShares = (shares: number): number => Math.min(Math.max(shares, minShares), maxShares);

export const milliCpuToShares = (milli: number): number =>
  clampShares(Math.floor((milli * sharesPerCpu) / 1000));

/** Microseconds per period; `undefined` for no limit. */
export function milliCpuToQuota(milli: number): number | undefined {
  return milli <= 0 ? undefined : Math.max(Math.floor((milli * periodMicros) / 1000), minQuotaMicros);
}

/** The class the API put into the status. A pod that never was there is as good as its numbers: not guaranteed. */
export function qosClassOf(pod: Pod): QosClass {
  const known = pod.status?.qosClass;
  if (known === 'Guaranteed' || known === 'Burstable' || known === 'BestEffort') return known;
  const { cpu, memory } = podAmounts(pod).requests;
  return cpu > 0 || memory > 0 ? 'Burstable' : 'BestEffort';
}

export interface Amounts {
  /** Thousandths of a CPU. */
  cpu: number;
  /** Bytes. */
  memory: number;
}

type Lists = { limits?: Record<string, string> | undefined; requests?: Record<string, string> | undefined };

const zero: Amounts = { cpu: 0, memory: 0 };
const add = (a: Amounts, b: Amounts): Amounts => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory });
const larger = (a: Amounts, b: Amounts): Amounts => ({
  cpu: Math.max(a.cpu, b.cpu),
  memory: Math.max(a.memory, b.memory),
});

const amountsIn = (list: Record<string, string> | undefined): Amounts => ({
  cpu: toMilli(list?.['cpu'] ?? '0'),
  memory: toBytes(list?.['memory'] ?? '0'),
});

const limitsIn = (lists: Lists | undefined): Amounts => amountsIn(lists?.limits);

/** A limit without a request is the request too, as the API defaults it. */
const requestsIn = (lists: Lists | undefined): Amounts => amountsIn({ ...lists?.limits, ...lists?.requests });

/**
 * What a pod may need at any one time: all containers and the init containers that stay (sidecars), or the most hungry
 * init container with the sidecars before it, whichever is more; plus the pod's overhead.
 */
export function podAmounts(pod: Pod): { requests: Amounts; limits: Amounts } {
  const overhead = amountsIn(pod.spec?.overhead);
  const total = (amounts: (lists: Lists | undefined) => Amounts): Amounts => {
    let sidecars = zero;
    let peak = zero;
    for (const container of pod.spec?.initContainers ?? []) {
      const own = amounts(container.resources);
      peak = larger(peak, add(sidecars, own));
      if (container.restartPolicy === 'Always') sidecars = add(sidecars, own);
    }
    const running = (pod.spec?.containers ?? [])
      .map(({ resources }) => amounts(resources))
      .reduce(add, sidecars);
    return larger(peak, running);
  };
  const limits = total(limitsIn);
  return {
    requests: add(total(requestsIn), overhead),
    limits: {
      cpu: limits.cpu + (limits.cpu > 0 ? overhead.cpu : 0),
      memory: limits.memory + (limits.memory > 0 ? overhead.memory : 0),
    },
  };
}

/** Limits of the pod's own cgroup. */
export function podResources(pod: Pod): LinuxResources {
  const { requests, limits } = podAmounts(pod);
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const allLimit = (name: keyof Amounts): boolean =>
    containers.length > 0 && containers.every(({ resources }) => limitsIn(resources)[name] > 0);
  const quota = allLimit('cpu') ? milliCpuToQuota(limits.cpu) : undefined;
  return {
    cpuShares: milliCpuToShares(requests.cpu),
    ...(quota !== undefined && { cpuQuota: quota, cpuPeriod: periodMicros }),
    ...(allLimit('memory') && { memoryBytes: limits.memory }),
  };
}

/** Limits of one container. `memoryCapacity`: the node's, in bytes. */
export function containerResources(pod: Pod, container: Container, memoryCapacity: number): LinuxResources {
  const limits = limitsIn(container.resources);
  const quota = milliCpuToQuota(limits.cpu);
  return {
    cpuShares: milliCpuToShares(requestsIn(container.resources).cpu),
    ...(quota !== undefined && { cpuQuota: quota, cpuPeriod: periodMicros }),
    ...(limits.memory > 0 && { memoryBytes: limits.memory }),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacity),
  };
}

/**
 * Whom the kernel kills first when the node is out of memory: best effort (1000), then burstable containers that asked
 * for little (up to 999), last guaranteed and node-critical ones (-997).
 */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacity: number): number {
  const qos = qosClassOf(pod);
  if (qos === 'Guaranteed' || (pod.spec?.priority ?? 0) >= criticalPriority) return -997;
  if (qos === 'BestEffort') return 1000;
  const { memory } = requestsIn(container.resources);
  return Math.min(Math.max(1000 - Math.floor((1000 * memory) / memoryCapacity), 2), 999);
}
