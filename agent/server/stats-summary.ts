/**
 * A sample as kubelet's `/stats/summary` says it (Kubernetes: kubelet `stats/v1alpha1` Summary). Pure. With
 * `only_cpu_and_memory=true` in the query nothing else is told.
 *
 * Beyond kubelet's fields there is `window`, the seconds that the rates are the mean of; the master wants it.
 */
import { toTime } from '../../src/host/clock.js';
import type { ContainerSample, FileSystem, Measured, NodeSample, PodSample } from './stats.js';
import type { InterfaceUsage, Usage } from './stats-usage.js';

export interface SummaryOptions {
  nodeName: string;
  onlyCpuAndMemory: boolean;
  startedAt: Date;
}

export function summaryOf(
  sample: NodeSample,
  { nodeName, onlyCpuAndMemory, startedAt }: SummaryOptions,
): object {
  const time = sample.at.toISOString();
  const more = !onlyCpuAndMemory;
  return {
    window: sample.windowMs / 1000,
    node: {
      nodeName,
      startTime: toTime(startedAt),
      ...cpuAndMemory(sample, time),
      ...(more && {
        network: network(sample.interfaces, time),
        fs: fileSystem(sample.fs, time),
        runtime: {},
        rlimit: { time },
      }),
    },
    pods: sample.pods.map((pod) => podStats(pod, time, more)),
  };
}

function podStats(sample: PodSample, time: string, more: boolean): object {
  const { metadata, status } = sample.pod;
  return {
    podRef: { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
    startTime: status?.startTime ?? metadata.creationTimestamp,
    containers: sample.containers.map((container) => containerStats(container, time)),
    ...cpuAndMemory(sample, time),
    ...(more && {
      ...(sample.interfaces.length > 0 && { network: network(sample.interfaces, time) }),
      process_stats: { process_count: sample.usage.processes },
    }),
  };
}

const containerStats = (sample: ContainerSample, time: string): object => ({
  name: sample.name,
  ...(sample.startedAt && { startTime: toTime(sample.startedAt) }),
  ...cpuAndMemory(sample, time),
});

function cpuAndMemory({ usage, cpuRate }: Measured, time: string): object {
  return {
    cpu: {
      time,
      ...(cpuRate !== undefined && { usageNanoCores: Math.round(cpuRate) }),
      usageCoreNanoSeconds: Math.round(usage.cpuNanos),
    },
    memory: {
      time,
      ...availableBytes(usage),
      usageBytes: usage.memoryBytes,
      workingSetBytes: usage.workingSetBytes,
      rssBytes: usage.rssBytes,
      pageFaults: usage.pageFaults,
      majorPageFaults: usage.majorPageFaults,
    },
    swap: { time, swapUsageBytes: usage.swapBytes },
  };
}

const availableBytes = ({ memoryLimitBytes, workingSetBytes }: Usage): object =>
  memoryLimitBytes === undefined ? {} : { availableBytes: Math.max(0, memoryLimitBytes - workingSetBytes) };

const fileSystem = (fs: FileSystem, time: string): object => ({
  time,
  availableBytes: fs.availableBytes,
  capacityBytes: fs.capacityBytes,
  usedBytes: fs.usedBytes,
  inodesFree: fs.inodesFree,
  inodes: fs.inodes,
  inodesUsed: fs.inodes - fs.inodesFree,
});

/** `eth0`, as kubelet has it, or else the first interface stands for the whole; all are listed. */
const network = (interfaces: readonly InterfaceUsage[], time: string): object => ({
  time,
  ...(interfaces.find(({ name }) => name === 'eth0') ?? interfaces[0]),
  interfaces,
});
