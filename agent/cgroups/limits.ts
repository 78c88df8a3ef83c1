/**
 * From requests and limits to what the kernel is told: shares, quotas, bytes, scores. Pure. Called by manager.ts.
 *
 * The numbers are Kubernetes': 1 CPU is 1024 shares, the period is 100 ms, a quota is at least 1 ms; a pod is limited
 * as a whole only if every container is, or `spec.resources` says so. Everything is in cgroup v1 scale; `files.ts`
 * translates.
 */
import type { Resources } from '../../src/api/podresources.js';
import { type QosClass, qosClassOf as qosClassOfSpec } from '../../src/api/qos.js';
import { toBytes } from '../../src/api/quantity.js';
import type { Container, Pod } from '../../src/api/types.js';
import type { LinuxResources } from '../runtime/runtime.js';
import { limitsIn, podAmounts, requestsIn } from './amounts.js';
import type { CgroupLimits } from './files.js';
import { hugePagePrefix, hugePageResource, kernelPageSize, pageBytesOf } from './hugepages.js';

/** What the node's own settings and size add to the numbers of a pod. */
export interface LimitPolicy {
  /** Bytes of the node. */
  memoryCapacity: number;
  /** `--cpu-cfs-quota`: whether cpu limits are enforced. */
  cfsQuota: boolean;
  /** `--pod-max-pids`; undefined for no limit. */
  podMaxPids: number | undefined;
  /** Page sizes of the host, in bytes. */
  hugePageSizes: readonly number[];
  /** Memory requests are kept from being reclaimed (`TieredReservation` of kubelet's Memory QoS). */
  reservesMemory: boolean;
}

export const minShares = 2;
const maxShares = 262_144;
const sharesPerCpu = 1024;
const periodMicros = 100_000;
const minQuotaMicros = 1000;

/** Priority of `system-node-critical`. */
const nodeCriticalPriority = 2_000_001_000;

/** What the kernel takes. */
export const clampShares = (shares: number): number => Math.min(Math.max(shares, minShares), maxShares);

export const milliCpuToShares = (milli: number): number =>
  clampShares(Math.floor((milli * sharesPerCpu) / 1000));

/** Microseconds per period; `undefined` for no limit. */
export function milliCpuToQuota(milli: number): number | undefined {
  return milli <= 0 ? undefined : Math.max(Math.floor((milli * periodMicros) / 1000), minQuotaMicros);
}

function quotaOf(milli: number, policy: LimitPolicy): Pick<LinuxResources, 'cpuQuota' | 'cpuPeriod'> {
  const quota = policy.cfsQuota ? milliCpuToQuota(milli) : undefined;
  return quota === undefined ? {} : { cpuQuota: quota, cpuPeriod: periodMicros };
}

/** The class the API put into the status; of a pod that never was there, the one it would have put. */
export function qosClassOf(pod: Pod): QosClass {
  const known = pod.status?.qosClass;
  if (known === 'Guaranteed' || known === 'Burstable' || known === 'BestEffort') return known;
  return qosClassOfSpec(pod.spec);
}

/** Limits of the pod's own cgroup. */
export function podResources(pod: Pod, policy: LimitPolicy): CgroupLimits {
  const { requests, limits } = podAmounts(pod);
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const ofPod = limitsIn(pod.spec?.resources);
  const isLimited = (name: 'cpu' | 'memory'): boolean =>
    ofPod[name] > 0 ||
    (containers.length > 0 && containers.every(({ resources }) => limitsIn(resources)[name] > 0));
  return {
    cpuShares: milliCpuToShares(requests.milliCpu),
    ...(isLimited('cpu') && quotaOf(limits.milliCpu, policy)),
    ...(isLimited('memory') && { memoryBytes: limits.memory }),
    ...(policy.podMaxPids !== undefined && { pidsLimit: policy.podMaxPids }),
    ...podReservation(pod, requests.memory, policy),
    ...(policy.hugePageSizes.length > 0 && { hugePageBytes: podHugePages(requests, policy) }),
  };
}

/** Hard for guaranteed pods, soft for burstable ones, none for best effort. */
function podReservation(pod: Pod, bytes: number, policy: LimitPolicy): CgroupLimits {
  if (!policy.reservesMemory) return {};
  const qos = qosClassOf(pod);
  return {
    memoryMinBytes: qos === 'Guaranteed' ? bytes : 0,
    memoryReservationBytes: qos === 'Burstable' ? bytes : 0,
  };
}

/** A pod gets the huge pages it asked for, of every other size none. */
function podHugePages({ others }: Resources, policy: LimitPolicy): Record<string, number> {
  const sizes = policy.hugePageSizes.map((size) => [
    kernelPageSize(size),
    others.get(hugePageResource(size)) ?? 0,
  ]);
  return Object.fromEntries(sizes);
}

/**
 * Limits of one container. One without a limit of its own gets the pod's, where `spec.resources` sets one, so that
 * programs which look at their own cgroup see what they may use.
 */
export function containerResources(pod: Pod, container: Container, policy: LimitPolicy): LinuxResources {
  const own = limitsIn(container.resources);
  const ofPod = limitsIn(pod.spec?.resources);
  const limits = { cpu: own.cpu || ofPod.cpu, memory: own.memory || ofPod.memory };
  const requests = requestsIn(container.resources);
  const asksCpu = container.resources?.requests?.['cpu'] !== undefined;
  const pages = Object.entries(container.resources?.limits ?? {}).filter(([name]) =>
    name.startsWith(hugePagePrefix),
  );
  return {
    cpuShares: milliCpuToShares(asksCpu ? requests.cpu : limits.cpu),
    ...quotaOf(limits.cpu, policy),
    ...(limits.memory > 0 && { memoryBytes: limits.memory }),
    ...(policy.reservesMemory && requests.memory > 0 && { memoryReservationBytes: requests.memory }),
    ...(pages.length > 0 && {
      hugePageBytes: Object.fromEntries(
        pages.map(([name, bytes]) => [kernelPageSize(pageBytesOf(name)), toBytes(bytes)]),
      ),
    }),
    oomScoreAdj: oomScoreAdj(pod, container, policy.memoryCapacity),
  };
}

/**
 * Whom the kernel kills first when the node is out of memory ("Node out of memory behavior"): best effort (1000), then
 * burstable containers that asked for little (up to 999), last guaranteed and node-critical ones (-997). Memory that
 * only the pod asked for counts for its containers in equal parts; a sidecar does not go before the containers it is for.
 */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacity: number): number {
  const { spec } = pod;
  const qos = qosClassOf(pod);
  const isCritical =
    spec?.priorityClassName === 'system-node-critical' || (spec?.priority ?? 0) >= nodeCriticalPriority;
  if (qos === 'Guaranteed' || isCritical) return -997;
  if (qos === 'BestEffort') return 1000;
  const containers = spec?.containers ?? [];
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const asked = (one: Container): number => requestsIn(one.resources).memory;
  const all = [...containers, ...sidecars];
  const ofPod = requestsIn(spec?.resources).memory;
  const shared = Math.max(ofPod - all.map(asked).reduce((sum, bytes) => sum + bytes, 0), 0) / all.length || 0;
  const scoreOf = (bytes: number): number =>
    Math.min(Math.max(1000 - Math.floor((1000 * (bytes + shared)) / memoryCapacity), 2), 999);
  const own = scoreOf(asked(container));
  if (!sidecars.includes(container)) return own;
  return Math.min(own, ...containers.map((one) => scoreOf(asked(one))));
}
