/**
 * Contract: the names of kinds, as clients address them. Pure.
 *
 * A `ResourceType` carries the TypeScript type of its objects, so `client.get(pods, ref)` is a `Pod`. What the server
 * does with a kind (subresources, columns, strategy) is in `master/resources/`.
 */
import type {
  CertificateSigningRequest,
  ConfigMap,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  KubeObject,
  Lease,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Secret,
  Service,
  ServiceAccount,
} from './types.js';

export interface ResourceType<T extends KubeObject = KubeObject> {
  /** '' for core. */
  readonly group: string;
  readonly version: string;
  /** Plural, lowercase: `pods`. */
  readonly resource: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set; it only binds `T`. */
  readonly object?: T;
}

/** `v1` or `apps/v1`. */
export const apiVersionOf = (type: Pick<ResourceType, 'group' | 'version'>): string =>
  type.group === '' ? type.version : `${type.group}/${type.version}`;

function row<T extends KubeObject>(
  apiVersion: string,
  resource: string,
  kind: string,
  namespaced: boolean,
): ResourceType<T> {
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    resource,
    kind,
    namespaced,
  };
}

export const namespaces = row<Namespace>('v1', 'namespaces', 'Namespace', false);
export const nodes = row<Node>('v1', 'nodes', 'Node', false);
export const pods = row<Pod>('v1', 'pods', 'Pod', true);
export const services = row<Service>('v1', 'services', 'Service', true);
export const endpoints = row<Endpoints>('v1', 'endpoints', 'Endpoints', true);
export const configMaps = row<ConfigMap>('v1', 'configmaps', 'ConfigMap', true);
export const secrets = row<Secret>('v1', 'secrets', 'Secret', true);
export const serviceAccounts = row<ServiceAccount>('v1', 'serviceaccounts', 'ServiceAccount', true);
export const events = row<Event>('v1', 'events', 'Event', true);
export const deployments = row<Deployment>('apps/v1', 'deployments', 'Deployment', true);
export const replicaSets = row<ReplicaSet>('apps/v1', 'replicasets', 'ReplicaSet', true);
export const endpointSlices = row<EndpointSlice>(
  'discovery.k8s.io/v1',
  'endpointslices',
  'EndpointSlice',
  true,
);
export const leases = row<Lease>('coordination.k8s.io/v1', 'leases', 'Lease', true);
export const certificateSigningRequests = row<CertificateSigningRequest>(
  'certificates.k8s.io/v1',
  'certificatesigningrequests',
  'CertificateSigningRequest',
  false,
);
