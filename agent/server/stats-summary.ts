/**
 * A sample as kubelet's `/stats/summary` says it (Kubernetes: kubelet `stats/v1alpha1` Summary). Pure. With
 * `only_cpu_and_memory=true` in the query nothing else is told.
 *
 * Beyond kubelet's fields there is `window`, the seconds that the rates are the mean of; the master wants it.
 */
import { toTime } from '../../src/host/clock.js';
import type { ContainerSample, FileSystem, Measured, NodeSample, PodSample } from './stats.js';
import type { DiskPart, DiskSample } from './stats-disk.js';
import type { InterfaceUsage, Usage } from './stats-usage.js';

export interface SummaryOptions {
  nodeName: string;
  onlyCpuAndMemory: boolean;
  startedAt: Date;
  /** Left out where it is not known. */
  disk?: DiskSample | undefined;
}

export function summaryOf(
  sample: NodeSample,
  { nodeName, onlyCpuAndMemory, startedAt, disk }: SummaryOptions,
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
        runtime: disk ? { imageFs: fileSystem(disk.imageFs, time) } : {},
        rlimit: { time, ...(disk && { maxpid: disk.processes.limit, curproc: disk.processes.used }) },
      }),
    },
    pods: sample.pods.map((pod) => podStats(pod, { time, more, fs: sample.fs, disk })),
  };
}

interface Around {
  time: string;
  more: boolean;
  fs: FileSystem;
  disk: DiskSample | undefined;
}

function podStats(sample: PodSample, around: Around): object {
  const { metadata, status } = sample.pod;
  const { time, more, fs, disk } = around;
  const used = more ? disk?.pods.get(metadata.uid ?? '') : undefined;
  const all = used && [
    ...used.containers.flatMap(({ layer, logs }) => [layer, logs]),
    ...used.volumes.values(),
  ];
  return {
    podRef: { name: metadata.name, namespace: metadata.namespace, uid: metadata.uid },
    startTime: status?.startTime ?? metadata.creationTimestamp,
    containers: sample.containers.map((container) => {
      const own = used?.containers.find(({ name }) => name === container.name);
      return {
        ...containerStats(container, time),
        ...(own && disk && { rootfs: part(disk.imageFs, own.layer, time), logs: part(fs, own.logs, time) }),
      };
    }),
    ...cpuAndMemory(sample, time),
    ...(more && {
      ...(sample.interfaces.length > 0 && { network: network(sample.interfaces, time) }),
      ...(used && {
        volume: [...used.volumes].map(([name, use]) => ({ ...part(fs, use, time), name })),
      }),
      ...(all && { 'ephemeral-storage': part(fs, total(all), time) }),
      process_stats: { process_count: sample.usage.processes },
    }),
  };
}

/** What somebody uses of a file system. */
const part = (fs: FileSystem, { bytes, inodes }: DiskPart, time: string): object => ({
  ...fileSystem(fs, time),
  usedBytes: bytes,
  inodesUsed: inodes,
});

const total = (parts: readonly DiskPart[]): DiskPart => ({
  bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
  inodes: parts.reduce((sum, { inodes = 0 }) => sum + inodes, 0),
});

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

const link = ({ name, rxBytes, rxErrors, txBytes, txErrors }: InterfaceUsage): object => ({
  name,
  rxBytes,
  rxErrors,
  txBytes,
  txErrors,
});

/** `eth0`, as kubelet has it, or else the first interface stands for the whole; all are listed. */
const network = (interfaces: readonly InterfaceUsage[], time: string): object => ({
  time,
  ...[interfaces.find(({ name }) => name === 'eth0') ?? interfaces[0]].flatMap((own) =>
    own ? [link(own)] : [],
  )[0],
  interfaces: interfaces.map(link),
});
