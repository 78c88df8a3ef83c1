/**
 * What this node has, what of it pods may have, and what the cgroup of all pods is held to. Pure. Called by
 * `nodestatus.ts` and `enforcement.ts`, so that what is said and what is enforced come from the same numbers.
 *
 *   allocatable = capacity - system reserved - kube reserved - hard eviction threshold   ("Node Allocatable")
 *
 * The cgroup is held to the same without the threshold: eviction works below it, the kernel's killer only at it. Huge
 * pages are set aside by the kernel already, so ordinary memory is less by them.
 */
import { compareQuantities, fromBytes, fromMilli, toBytes, toMilli } from '../../src/api/quantity.js';
import { type HugePages, hugePageResource } from '../cgroups/hugepages.js';
import { milliCpuToShares } from '../cgroups/limits.js';
import { hardReserve, type Threshold } from '../eviction/signals.js';
import type { LinuxResources } from '../runtime/runtime.js';

export interface ReservedOptions {
  maxPods: number;
  systemReserved: Readonly<Record<string, string>>;
  kubeReserved: Readonly<Record<string, string>>;
  enforceNodeAllocatable: readonly 'pods'[];
  /** Thresholds of eviction; the hard ones are kept back from pods. */
  eviction: { thresholds: readonly Threshold[] };
}

export interface HostSize {
  cpuCount: number;
  memoryBytes: number;
  /** Most processes that the kernel has numbers for. */
  processLimit: number;
  hugePages: readonly HugePages[];
}

type Quantities = Record<string, string>;

const kibibytes = (bytes: number): string => fromBytes(Math.floor(bytes / 1024) * 1024);

export function capacityOf(host: HostSize, diskBytes: number, { maxPods }: ReservedOptions): Quantities {
  const pages = host.hugePages.map(({ pageBytes, count }): [string, string] => [
    hugePageResource(pageBytes),
    count === 0 ? '0' : fromBytes(pageBytes * count),
  ]);
  return {
    cpu: String(host.cpuCount),
    'ephemeral-storage': kibibytes(diskBytes),
    ...Object.fromEntries(pages),
    memory: kibibytes(host.memoryBytes),
    pods: String(maxPods),
  };
}

/** Bytes, or numbers of processes, that both lists keep back. */
const reserved = ({ systemReserved, kubeReserved }: ReservedOptions, name: string): number =>
  toBytes(systemReserved[name] ?? '0') + toBytes(kubeReserved[name] ?? '0');

const reservedMilliCpu = ({ systemReserved, kubeReserved }: ReservedOptions): number =>
  toMilli(systemReserved['cpu'] ?? '0') + toMilli(kubeReserved['cpu'] ?? '0');

const atLeastNone = (amount: number): number => Math.max(amount, 0);

export function allocatableOf(host: HostSize, diskBytes: number, options: ReservedOptions): Quantities {
  const { thresholds } = options.eviction;
  const hugeBytes = host.hugePages.reduce((sum, { pageBytes, count }) => sum + pageBytes * count, 0);
  const memory =
    host.memoryBytes -
    hugeBytes -
    reserved(options, 'memory') -
    hardReserve(thresholds, 'memory.available', host.memoryBytes);
  const disk =
    diskBytes -
    reserved(options, 'ephemeral-storage') -
    hardReserve(thresholds, 'nodefs.available', diskBytes);
  return {
    ...capacityOf(host, diskBytes, options),
    cpu: fromMilli(atLeastNone(host.cpuCount * 1000 - reservedMilliCpu(options))),
    'ephemeral-storage': String(Math.floor(atLeastNone(disk))),
    memory: kibibytes(atLeastNone(memory)),
  };
}

/** What all pods together may use. What is not enforced is the whole node's, so that an earlier limit goes. */
export function enforcedLimits(host: HostSize, options: ReservedOptions): LinuxResources {
  const isEnforced = options.enforceNodeAllocatable.includes('pods');
  const kept = (amount: number): number => (isEnforced ? amount : 0);
  const milliCpu = host.cpuCount * 1000 - kept(reservedMilliCpu(options));
  return {
    cpuShares: milliCpuToShares(atLeastNone(milliCpu)),
    memoryBytes: atLeastNone(host.memoryBytes - kept(reserved(options, 'memory'))),
    pidsLimit: Math.max(host.processLimit - kept(reserved(options, 'pid')), 1),
  };
}

/** Throws when more is kept back than there is: a node that takes no pod at all is a mistake. */
export function requireReservable(host: HostSize, options: ReservedOptions): void {
  const { cpu = '0', memory = '0' } = allocatableOf(host, 0, options);
  for (const [name, amount] of Object.entries({ cpu, memory })) {
    if (compareQuantities(amount, '0') > 0) continue;
    throw new Error(
      `--system-reserved, --kube-reserved and --eviction-hard keep back all ${name} of this node: nothing is left for pods`,
    );
  }
}
