/**
 * The Node object as this agent wants it: what it registers, and its status. Pure; called by `node.ts`.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ContainerImage, Node, NodeRuntimeHandler, NodeStatus, Taint } from '../../src/api/types.js';
import { gitVersion } from '../../src/api/version.js';
import type { ImageState, RuntimeFeatures } from '../runtime/runtime.js';
import { sandboxImage } from '../runtime/sandbox-image.js';
import { allocatableOf, capacityOf, type ReservedOptions } from './allocatable.js';
import { type ConditionFacts, conditionsOf } from './conditions.js';
import type { Machine, Usage } from './machine.js';
import type { RuntimeFacts } from './runtimeprobe.js';

export interface NodeOptions extends ReservedOptions {
  nodeName: string;
  nodeLabels: Readonly<Record<string, string>>;
  registerWithTaints: readonly Taint[];
  /** What the runtime is called until it says so itself. */
  runtime: string;
  /** Port of the agent's HTTPS server. */
  agentPort: number;
}

type Quantities = Record<string, string>;

export interface StatusFacts extends ConditionFacts {
  machine: Machine;
  usage: Usage;
  runtime: RuntimeFacts;
  /** Addresses that other nodes use, the primary first. */
  nodeIps: readonly string[];
}

/** Labels that every node has ("Well-Known Labels"); set again whenever an agent starts. */
export const defaultLabels = (nodeName: string, machine: Machine): Record<string, string> => ({
  'kubernetes.io/hostname': nodeName,
  'kubernetes.io/os': 'linux',
  'kubernetes.io/arch': machine.architecture,
  'beta.kubernetes.io/os': 'linux',
  'beta.kubernetes.io/arch': machine.architecture,
});

/** A node is tainted as not ready until its first status says otherwise; the node controller takes the taint off. */
const notReadyTaint: Taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

export const newNode = (options: NodeOptions, machine: Machine): Node => ({
  metadata: {
    name: options.nodeName,
    labels: { ...options.nodeLabels, ...defaultLabels(options.nodeName, machine) },
  },
  spec: { taints: [...options.registerWithTaints, notReadyTaint] },
});

/** Kubernetes' limits of the list of images. */
const maxImages = 50;
const maxNamesPerImage = 5;

/** The status to write; `before` gives other writers' conditions and the times of transition. */
export function nodeStatusOf(options: NodeOptions, before: NodeStatus, facts: StatusFacts): NodeStatus {
  const { machine, usage, runtime } = facts;
  const { totalBytes } = usage.disk;
  const foreign = extendedResources(before.capacity);
  return {
    capacity: { ...capacityOf(machine, totalBytes, options), ...foreign },
    allocatable: { ...allocatableOf(machine, totalBytes, options), ...foreign },
    conditions: conditionsOf(before.conditions ?? [], facts),
    addresses: [
      ...facts.nodeIps.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: options.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: options.agentPort } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
      kubeletVersion: gitVersion,
      kubeProxyVersion: gitVersion,
      operatingSystem: 'linux',
      architecture: machine.architecture,
      ...(machine.swapBytes > 0 && { swap: { capacity: machine.swapBytes } }),
    },
    images: imagesOf(runtime.images),
    ...(runtime.features && featuresOf(runtime.features)),
  };
}

/** "Advertise Extended Resources for a Node": somebody else writes their capacity, all of it can be allocated. */
function extendedResources(capacity: Quantities = {}): Quantities {
  const isExtended = (name: string): boolean => /^(?!([^/]*\.)?kubernetes\.io\/)[^/]+\//.test(name);
  return Object.fromEntries(Object.entries(capacity).filter(([name]) => isExtended(name)));
}

/** As a merge patch: what nobody advertises any more goes. */
export const patchOf = (before: NodeStatus, next: NodeStatus): object => ({
  ...next,
  allocatable: {
    ...Object.fromEntries(Object.keys(extendedResources(before.allocatable)).map((name) => [name, null])),
    ...next.allocatable,
  },
});

/** What the runtime can; the handler without a name is its default. */
function featuresOf(features: RuntimeFeatures): Pick<NodeStatus, 'features' | 'runtimeHandlers'> {
  const { recursiveReadOnly, userNamespaces } = features;
  const handler = (name: string): NodeRuntimeHandler => ({
    name,
    features: { recursiveReadOnlyMounts: recursiveReadOnly, userNamespaces },
  });
  const names = new Set(['', ...features.runtimeHandlers]);
  return {
    features: { supplementalGroupsPolicy: features.strictSupplementalGroups },
    runtimeHandlers: [...names].sort().map(handler),
  };
}

/**
 * The biggest first, as the scheduler looks for those that would be expensive to pull. The image of our own sandboxes is
 * no image that a pod could name.
 */
function imagesOf(images: readonly ImageState[]): ContainerImage[] {
  return images
    .map(({ repoDigests, repoTags, sizeBytes }) => ({
      names: [...repoDigests, ...repoTags]
        .filter((name) => !name.includes('<none>') && !name.endsWith(sandboxImage))
        .slice(0, maxNamesPerImage),
      sizeBytes,
    }))
    .filter(({ names }) => names.length > 0)
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.names[0] ?? '').localeCompare(b.names[0] ?? ''))
    .slice(0, maxImages);
}

/** Whether two statuses say the same; heartbeat times do not count. */
export const saysTheSame = (a: NodeStatus, b: NodeStatus): boolean =>
  isDeepStrictEqual(withoutHeartbeats(a), withoutHeartbeats(b));

const withoutHeartbeats = (status: NodeStatus): unknown =>
  JSON.parse(
    JSON.stringify({
      ...status,
      conditions: status.conditions?.map((condition) => ({ ...condition, lastHeartbeatTime: '' })),
    }),
  );
