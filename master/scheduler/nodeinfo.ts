/**
 * A node with the sums of what runs on it, kept up by additions and removals. Called by the snapshot only; filters and
 * scores read. Invariant: `requested`, `scored` and `ports` are the sums over `pods`.
 */
import { portKey } from '../../src/api/hostports.js';
import { type Allocatable, type Resources, toAllocatable } from '../../src/api/podresources.js';
import type { Node, Taint } from '../../src/api/types.js';
import type { PodInfo } from './podinfo.js';
import type { Labels } from './terms.js';

export interface NodeInfo {
  readonly name: string;
  /** Absent while only pods are known that say they run there. */
  node: Node | undefined;
  labels: Labels;
  isUnschedulable: boolean;
  /** NoSchedule and NoExecute. */
  hardTaints: readonly Taint[];
  /** PreferNoSchedule. */
  softTaints: readonly Taint[];
  allocatable: Allocatable;
  /** Sizes in bytes by every name the image has. */
  images: ReadonlyMap<string, number>;
  readonly requested: Sums;
  /** Requests as scores count them. */
  readonly scored: { milliCpu: number; memory: number };
  readonly pods: Map<string, PodInfo>;
  /** IPs in use by `protocol/port`; an IP is there once for each pod. */
  readonly ports: Map<string, string[]>;
}

export interface Sums extends Resources {
  others: Map<string, number>;
}

export function createNodeInfo(name: string): NodeInfo {
  return {
    name,
    node: undefined,
    labels: {},
    isUnschedulable: false,
    hardTaints: [],
    softTaints: [],
    allocatable: toAllocatable(undefined),
    images: new Map(),
    requested: { milliCpu: 0, memory: 0, ephemeralStorage: 0, others: new Map() },
    scored: { milliCpu: 0, memory: 0 },
    pods: new Map(),
    ports: new Map(),
  };
}

export function setNode(info: NodeInfo, node: Node | undefined): void {
  const taints = node?.spec?.taints ?? [];
  info.node = node;
  info.labels = node?.metadata.labels ?? {};
  info.isUnschedulable = node?.spec?.unschedulable === true;
  info.hardTaints = taints.filter(({ effect }) => effect !== 'PreferNoSchedule');
  info.softTaints = taints.filter(({ effect }) => effect === 'PreferNoSchedule');
  info.allocatable = toAllocatable(node?.status?.allocatable);
  info.images = new Map(
    (node?.status?.images ?? []).flatMap(({ names = [], sizeBytes = 0 }) =>
      names.map((name): [string, number] => [name, sizeBytes]),
    ),
  );
}

export function addPod(info: NodeInfo, pod: PodInfo): void {
  info.pods.set(pod.key, pod);
  count(info, pod, 1);
  for (const port of pod.ports) {
    const ips = info.ports.get(portKey(port));
    if (ips) ips.push(port.ip);
    else info.ports.set(portKey(port), [port.ip]);
  }
}

export function removePod(info: NodeInfo, pod: PodInfo): void {
  info.pods.delete(pod.key);
  count(info, pod, -1);
  for (const port of pod.ports) {
    const ips = info.ports.get(portKey(port)) ?? [];
    ips.splice(ips.indexOf(port.ip), 1);
    if (ips.length === 0) info.ports.delete(portKey(port));
  }
}

function count({ requested, scored }: NodeInfo, { requests, scoreRequests }: PodInfo, sign: 1 | -1): void {
  requested.milliCpu += sign * requests.milliCpu;
  requested.memory += sign * requests.memory;
  requested.ephemeralStorage += sign * requests.ephemeralStorage;
  for (const [name, amount] of requests.others)
    requested.others.set(name, (requested.others.get(name) ?? 0) + sign * amount);
  scored.milliCpu += sign * scoreRequests.milliCpu;
  scored.memory += sign * scoreRequests.memory;
}

export const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;
