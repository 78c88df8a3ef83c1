/**
 * Clusters for the scheduler's tests, in a line each: nodes with room, pods with requests, and the outcome of a cycle.
 */
import type { Node, NodeSpec, Pod, PodSpec } from '../../src/api/types.js';
import { toPodInfo } from './podinfo.js';
import { type Decision, schedule } from './schedule.js';
import { type ClusterState, createClusterState } from './snapshot.js';

export interface HostFields {
  labels?: Record<string, string>;
  spec?: NodeSpec;
  cpu?: string;
  memory?: string;
  pods?: string;
  more?: Record<string, string>;
  images?: Record<string, number>;
}

/** A node with 4 CPUs, 8 GiB and 110 pods. */
export function host(name: string, fields: HostFields = {}): Node {
  const { labels = {}, spec = {}, cpu = '4', memory = '8Gi', pods = '110', more = {}, images = {} } = fields;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: {
      allocatable: { cpu, memory, 'ephemeral-storage': '10Gi', pods, ...more },
      images: Object.entries(images).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })),
    },
  };
}

export interface GuestFields {
  labels?: Record<string, string>;
  namespace?: string;
  requests?: Record<string, string>;
  /** Uid of the managing owner. */
  owner?: string;
  spec?: Partial<PodSpec>;
}

export function guest(name: string, fields: GuestFields = {}): Pod {
  const { labels = {}, namespace = 'default', requests, owner, spec = {} } = fields;
  const references = owner && [
    { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      labels,
      ...(references && { ownerReferences: references }),
    },
    spec: {
      containers: [{ name: 'main', image: 'nginx', ...(requests && { resources: { requests } }) }],
      ...spec,
    },
    status: { phase: 'Pending' },
  };
}

/** The nodes, with pods on them by name of the node. */
export function cluster(nodes: readonly Node[], placed: Record<string, readonly Pod[]> = {}): ClusterState {
  const state = createClusterState();
  for (const one of nodes) state.setNode(one);
  for (const [name, pods] of Object.entries(placed))
    for (const one of pods) state.place(toPodInfo(one), name);
  return state;
}

export const decide = (state: ClusterState, one: Pod): Decision => schedule(toPodInfo(one), state);

/** The node, or why there is none. */
export function outcome(state: ClusterState, one: Pod): string {
  const decision = decide(state, one);
  return decision.node ?? decision.message;
}

/** Schedules one after another, each on top of those before; the nodes they came to, or '-'. */
export function placeAll(state: ClusterState, pods: readonly Pod[]): string[] {
  return pods.map((one) => {
    const info = toPodInfo(one);
    const { node: name } = schedule(info, state);
    if (name === undefined) return '-';
    state.place(info, name);
    return name;
  });
}
