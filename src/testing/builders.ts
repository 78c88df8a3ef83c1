/**
 * Objects for tests: a valid minimum with what a test cares about put on top. Arguments name the few fields that tests
 * vary; `meta`, `spec` and `status` add to or replace the rest.
 */
import type {
  Deployment,
  DeploymentSpec,
  KubeObject,
  Namespace,
  Node,
  NodeSpec,
  NodeStatus,
  ObjectMeta,
  Pod,
  PodCondition,
  PodSpec,
  PodStatus,
  ReplicaSet,
  ReplicaSetSpec,
  ReplicaSetStatus,
  Service,
  ServicePort,
  ServiceSpec,
} from '../api/types.js';

interface Common extends Omit<ObjectMeta, 'name' | 'namespace'> {
  name?: string;
  namespace?: string;
}

const metadata = (given: Common, name: string): ObjectMeta => ({ namespace: 'default', name, ...given });

const clusterMetadata = (given: Common, name: string): ObjectMeta => ({ name, ...given });

export interface PodFields {
  meta?: Common;
  spec?: Partial<PodSpec>;
  status?: PodStatus;
  node?: string;
  ip?: string;
  labels?: Record<string, string>;
  /** Running with a true Ready condition. */
  ready?: boolean;
  /** Since when; a second into 2026 by default. */
  readySince?: string;
}

export function pod(name = 'web-0', fields: PodFields = {}): Pod {
  const { meta = {}, node, ip, labels, ready, readySince = '2026-01-01T00:00:01Z' } = fields;
  const condition = (type: string, isTrue: boolean): PodCondition => ({
    type,
    status: isTrue ? 'True' : 'False',
    lastTransitionTime: readySince,
  });
  const status: PodStatus = {
    phase: ready === undefined ? 'Pending' : 'Running',
    ...(ip && { podIP: ip, podIPs: [{ ip }] }),
    ...(ready !== undefined && {
      conditions: [condition('Ready', ready), condition('ContainersReady', ready)],
    }),
    ...fields.status,
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata({ ...(labels && { labels }), ...meta }, name),
    spec: { containers: [{ name: 'main', image: 'nginx' }], ...(node && { nodeName: node }), ...fields.spec },
    status,
  };
}

export interface NodeFields {
  meta?: Common;
  spec?: NodeSpec;
  status?: NodeStatus;
  /** A Ready condition with this status; none when absent. */
  ready?: 'True' | 'False' | 'Unknown';
}

export function node(name = 'node-1', { meta = {}, spec = {}, status = {}, ready }: NodeFields = {}): Node {
  const at = '2026-01-01T00:00:00Z';
  const conditions = ready && [
    {
      type: 'Ready',
      status: ready,
      lastHeartbeatTime: at,
      lastTransitionTime: at,
      reason: 'KubeletReady',
      message: '',
    },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: clusterMetadata({ labels: { 'kubernetes.io/hostname': name }, ...meta }, name),
    spec,
    status: {
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
      ...(conditions && { conditions }),
      ...status,
    },
  };
}

export const namespace = (name = 'default', meta: Common = {}): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: clusterMetadata(meta, name),
});

export interface ServiceFields {
  meta?: Common;
  selector?: Record<string, string>;
  ports?: ServicePort[];
  spec?: ServiceSpec;
}

export const service = (
  name = 'web',
  { meta = {}, selector = { app: 'web' }, ports, spec }: ServiceFields = {},
): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadata(meta, name),
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.10',
    clusterIPs: ['10.96.0.10'],
    selector,
    ports: ports ?? [{ port: 80, targetPort: 80, protocol: 'TCP' }],
    ...spec,
  },
});

const template = (labels: Record<string, string>) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'main', image: 'nginx' }] },
});

export interface DeploymentFields {
  meta?: Common;
  replicas?: number;
  spec?: Partial<DeploymentSpec>;
  status?: Deployment['status'];
}

/** Selects and makes pods labelled `app: <name>`. */
export function deployment(
  name = 'web',
  { meta = {}, replicas = 1, spec = {}, status }: DeploymentFields = {},
): Deployment {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(meta, name),
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: template(labels),
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
      ...spec,
    },
    ...(status && { status }),
  };
}

export interface ReplicaSetFields {
  meta?: Common;
  replicas?: number;
  spec?: Partial<ReplicaSetSpec>;
  status?: ReplicaSetStatus;
}

export function replicaSet(
  name = 'web',
  { meta = {}, replicas = 1, spec = {}, status }: ReplicaSetFields = {},
): ReplicaSet {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: metadata(meta, name),
    spec: { replicas, selector: { matchLabels: labels }, template: template(labels), ...spec },
    ...(status && { status }),
  };
}

/** Puts a reference to its controller on an object. */
export function ownedBy<T extends KubeObject>(object: T, owner: KubeObject): T {
  const { name = '', uid = '' } = owner.metadata;
  const reference = {
    apiVersion: owner.apiVersion ?? '',
    kind: owner.kind ?? '',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  };
  return { ...object, metadata: { ...object.metadata, ownerReferences: [reference] } };
}
