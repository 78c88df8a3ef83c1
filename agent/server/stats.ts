/**
 * Samples what the node, its pods and their containers use. Made by the agent's composition root; asked by the pages
 * /stats/summary and /metrics/*.
 *
 * Nothing is read while nobody asks. A rate needs two samples: the last one is remembered, and where it is missing or too
 * old a second one is taken half a second after the first. Those who ask within a second share one.
 */
import { statfs } from 'node:fs/promises';
import type { ContainerStatus, Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { type CgroupDriver, type CgroupName, directoryOf, podCgroup } from '../cgroups/layout.js';
import { qosClassOf } from '../cgroups/limits.js';
import {
  type InterfaceUsage,
  readInterfaces,
  readMachineUsage,
  type Usage,
  type UsageReader,
} from './stats-usage.js';

/** A rate is in nanoseconds of CPU per second; absent where nothing is known of a time before. */
export interface Measured {
  usage: Usage;
  cpuRate: number | undefined;
}

export interface ContainerSample extends Measured {
  name: string;
  id: string;
  /** With the runtime's name in front: `docker://...`. */
  runtimeId: string;
  image: string;
  startedAt: Date | undefined;
}

export interface PodSample extends Measured {
  pod: Pod;
  containers: ContainerSample[];
  /** Empty for pods on the node's own network. */
  interfaces: InterfaceUsage[];
}

export interface FileSystem {
  capacityBytes: number;
  availableBytes: number;
  usedBytes: number;
  inodes: number;
  inodesFree: number;
}

export interface NodeSample extends Measured {
  at: Date;
  /** What the rates are the mean of. */
  windowMs: number;
  pods: PodSample[];
  interfaces: InterfaceUsage[];
  fs: FileSystem;
}

export interface StatsOptions {
  reader: Pick<UsageReader, 'read' | 'processIn'>;
  pods(): readonly Pod[];
  cgroups: { root: CgroupName; driver: CgroupDriver };
  dataDirectory: string;
  clock: Pick<Clock, 'now' | 'monotonicMs' | 'sleep'>;
  signal: AbortSignal;
}

export interface Stats {
  sample(): Promise<NodeSample>;
}

/** What was used until when, by `node`, `pod/<uid>` and container id. */
interface Totals {
  atMs: number;
  cpuNanos: ReadonlyMap<string, number>;
}

const shareMs = 1000;
const firstWindowMs = 500;
const longestWindowMs = 90_000;

export function createStats(options: StatsOptions): Stats {
  const { clock, signal } = options;
  let last: Totals | undefined;
  let shared: { atMs: number; sample: Promise<NodeSample> } | undefined;

  async function measure(): Promise<NodeSample> {
    if (!last || clock.monotonicMs() - last.atMs > longestWindowMs) {
      last = (await take(options)).totals;
      await clock.sleep(firstWindowMs, signal);
    }
    const { sample, totals } = await take(options, last);
    last = totals;
    return sample;
  }

  return {
    sample() {
      const atMs = clock.monotonicMs();
      if (shared && atMs - shared.atMs < shareMs) return shared.sample;
      const sample = measure();
      shared = { atMs, sample };
      sample.catch(() => {
        shared = undefined;
      });
      return sample;
    },
  };
}

async function take(options: StatsOptions, before?: Totals): Promise<{ sample: NodeSample; totals: Totals }> {
  const atMs = options.clock.monotonicMs();
  const at = options.clock.now();
  const cpuNanos = new Map<string, number>();
  const windowMs = before ? atMs - before.atMs : 0;

  function measured(key: string, usage: Usage, startedAt?: Date): Measured {
    cpuNanos.set(key, usage.cpuNanos);
    const base = before?.cpuNanos.get(key);
    if (base !== undefined && windowMs > 0 && usage.cpuNanos >= base)
      return { usage, cpuRate: ((usage.cpuNanos - base) / windowMs) * 1000 };
    // What is new since then has used everything since its start.
    const ageMs = startedAt ? at.getTime() - startedAt.getTime() : 0;
    return { usage, cpuRate: ageMs > 0 ? (usage.cpuNanos / ageMs) * 1000 : undefined };
  }

  const running = options
    .pods()
    .filter((pod) => pod.status?.phase === 'Running' || runningIn(pod).length > 0);
  const pods = await Promise.all(running.map((pod) => podSample(options, pod, measured)));
  const sample: NodeSample = {
    at,
    windowMs,
    ...measured('node', await readMachineUsage()),
    pods: pods.filter((pod) => pod !== undefined),
    interfaces: await readInterfaces(0),
    fs: await readFileSystem(options.dataDirectory),
  };
  return { sample, totals: { atMs, cpuNanos } };
}

async function podSample(
  { reader, cgroups: { root, driver } }: StatsOptions,
  pod: Pod,
  measured: (key: string, usage: Usage, startedAt?: Date) => Measured,
): Promise<PodSample | undefined> {
  const uid = pod.metadata.uid ?? '';
  const directory = directoryOf(podCgroup(root, qosClassOf(pod), uid), driver);
  const usage = await reader.read(directory);
  if (!usage) return undefined;
  const containers = await Promise.all(
    runningIn(pod).map(async ({ name, containerID = '', image, state }): Promise<ContainerSample[]> => {
      const id = idOf(containerID);
      const own = await reader.read(`${directory}/${containerDirectory(containerID, driver)}`);
      const startedAt = dateOf(state?.running?.startedAt);
      return own
        ? [{ name, id, runtimeId: containerID, image, startedAt, ...measured(id, own, startedAt) }]
        : [];
    }),
  );
  const all = containers.flat();
  const [first] = all;
  const pid =
    first && !pod.spec?.hostNetwork
      ? await reader.processIn(`${directory}/${containerDirectory(first.runtimeId, driver)}`)
      : 0;
  return {
    pod,
    ...measured(`pod/${uid}`, usage, dateOf(pod.status?.startTime)),
    containers: all,
    interfaces: pid > 0 ? await readInterfaces(pid) : [],
  };
}

const idOf = (runtimeId: string): string => runtimeId.slice(runtimeId.indexOf('://') + 3);

/** What the runtime calls the cgroup of a container; under systemd's driver each puts a word of its own in front. */
function containerDirectory(runtimeId: string, driver: CgroupDriver): string {
  const id = idOf(runtimeId);
  if (driver !== 'systemd') return id;
  return `${runtimeId.startsWith('docker://') ? 'docker' : 'cri-containerd'}-${id}.scope`;
}

const runningIn = ({ status }: Pod): ContainerStatus[] =>
  [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].filter(({ state, containerID }) => state?.running && containerID);

const dateOf = (text: string | undefined): Date | undefined => (text ? new Date(text) : undefined);

export async function readFileSystem(path: string): Promise<FileSystem> {
  const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(path);
  return {
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodes: files,
    inodesFree: ffree,
  };
}
