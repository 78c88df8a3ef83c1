/**
 * Contract: the names of kinds, as clients address them. Pure.
 *
 * A `ResourceType` carries the TypeScript type of its objects, so `client.get(pods, ref)` is a `Pod`. What the server
 * does with a kind (subresources, columns, strategy) is in `master/resources/`.
 */
import type {
  APIService,
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ComponentStatus,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  HorizontalPodAutoscaler,
  Ingress,
  IngressClass,
  IPAddress,
  Job,
  KubeObject,
  Lease,
  LimitRange,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodTemplate,
  PriorityClass,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Role,
  RoleBinding,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  ServiceCIDR,
  StatefulSet,
  StorageClass,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
  VolumeAttachment,
  VolumeAttributesClass,
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

/** For rows of other versions and for kinds of our own; `apiVersion` as in manifests. */
export function resourceType<T extends KubeObject>(
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

export const namespaces = resourceType<Namespace>('v1', 'namespaces', 'Namespace', false);
export const nodes = resourceType<Node>('v1', 'nodes', 'Node', false);
export const pods = resourceType<Pod>('v1', 'pods', 'Pod', true);
export const services = resourceType<Service>('v1', 'services', 'Service', true);
export const endpoints = resourceType<Endpoints>('v1', 'endpoints', 'Endpoints', true);
export const configMaps = resourceType<ConfigMap>('v1', 'configmaps', 'ConfigMap', true);
export const secrets = resourceType<Secret>('v1', 'secrets', 'Secret', true);
export const serviceAccounts = resourceType<ServiceAccount>('v1', 'serviceaccounts', 'ServiceAccount', true);
export const events = resourceType<Event>('v1', 'events', 'Event', true);
export const deployments = resourceType<Deployment>('apps/v1', 'deployments', 'Deployment', true);
export const replicaSets = resourceType<ReplicaSet>('apps/v1', 'replicasets', 'ReplicaSet', true);
export const endpointSlices = resourceType<EndpointSlice>(
  'discovery.k8s.io/v1',
  'endpointslices',
  'EndpointSlice',
  true,
);
export const leases = resourceType<Lease>('coordination.k8s.io/v1', 'leases', 'Lease', true);
export const certificateSigningRequests = resourceType<CertificateSigningRequest>(
  'certificates.k8s.io/v1',
  'certificatesigningrequests',
  'CertificateSigningRequest',
  false,
);
export const persistentVolumes = resourceType<PersistentVolume>(
  'v1',
  'persistentvolumes',
  'PersistentVolume',
  false,
);
export const persistentVolumeClaims = resourceType<PersistentVolumeClaim>(
  'v1',
  'persistentvolumeclaims',
  'PersistentVolumeClaim',
  true,
);
export const podTemplates = resourceType<PodTemplate>('v1', 'podtemplates', 'PodTemplate', true);
export const replicationControllers = resourceType<ReplicationController>(
  'v1',
  'replicationcontrollers',
  'ReplicationController',
  true,
);
export const limitRanges = resourceType<LimitRange>('v1', 'limitranges', 'LimitRange', true);
export const resourceQuotas = resourceType<ResourceQuota>('v1', 'resourcequotas', 'ResourceQuota', true);
export const componentStatuses = resourceType<ComponentStatus>(
  'v1',
  'componentstatuses',
  'ComponentStatus',
  false,
);
export const controllerRevisions = resourceType<ControllerRevision>(
  'apps/v1',
  'controllerrevisions',
  'ControllerRevision',
  true,
);
export const daemonSets = resourceType<DaemonSet>('apps/v1', 'daemonsets', 'DaemonSet', true);
export const statefulSets = resourceType<StatefulSet>('apps/v1', 'statefulsets', 'StatefulSet', true);
export const jobs = resourceType<Job>('batch/v1', 'jobs', 'Job', true);
export const cronJobs = resourceType<CronJob>('batch/v1', 'cronjobs', 'CronJob', true);
export const horizontalPodAutoscalers = resourceType<HorizontalPodAutoscaler>(
  'autoscaling/v2',
  'horizontalpodautoscalers',
  'HorizontalPodAutoscaler',
  true,
);
export const podDisruptionBudgets = resourceType<PodDisruptionBudget>(
  'policy/v1',
  'poddisruptionbudgets',
  'PodDisruptionBudget',
  true,
);
export const ingresses = resourceType<Ingress>('networking.k8s.io/v1', 'ingresses', 'Ingress', true);
export const ingressClasses = resourceType<IngressClass>(
  'networking.k8s.io/v1',
  'ingressclasses',
  'IngressClass',
  false,
);
export const networkPolicies = resourceType<NetworkPolicy>(
  'networking.k8s.io/v1',
  'networkpolicies',
  'NetworkPolicy',
  true,
);
export const ipAddresses = resourceType<IPAddress>('networking.k8s.io/v1', 'ipaddresses', 'IPAddress', false);
export const serviceCidrs = resourceType<ServiceCIDR>(
  'networking.k8s.io/v1',
  'servicecidrs',
  'ServiceCIDR',
  false,
);
export const storageClasses = resourceType<StorageClass>(
  'storage.k8s.io/v1',
  'storageclasses',
  'StorageClass',
  false,
);
export const volumeAttachments = resourceType<VolumeAttachment>(
  'storage.k8s.io/v1',
  'volumeattachments',
  'VolumeAttachment',
  false,
);
export const csiDrivers = resourceType<CSIDriver>('storage.k8s.io/v1', 'csidrivers', 'CSIDriver', false);
export const csiNodes = resourceType<CSINode>('storage.k8s.io/v1', 'csinodes', 'CSINode', false);
export const csiStorageCapacities = resourceType<CSIStorageCapacity>(
  'storage.k8s.io/v1',
  'csistoragecapacities',
  'CSIStorageCapacity',
  true,
);
export const volumeAttributesClasses = resourceType<VolumeAttributesClass>(
  'storage.k8s.io/v1',
  'volumeattributesclasses',
  'VolumeAttributesClass',
  false,
);
export const roles = resourceType<Role>('rbac.authorization.k8s.io/v1', 'roles', 'Role', true);
export const roleBindings = resourceType<RoleBinding>(
  'rbac.authorization.k8s.io/v1',
  'rolebindings',
  'RoleBinding',
  true,
);
export const clusterRoles = resourceType<ClusterRole>(
  'rbac.authorization.k8s.io/v1',
  'clusterroles',
  'ClusterRole',
  false,
);
export const clusterRoleBindings = resourceType<ClusterRoleBinding>(
  'rbac.authorization.k8s.io/v1',
  'clusterrolebindings',
  'ClusterRoleBinding',
  false,
);
export const priorityClasses = resourceType<PriorityClass>(
  'scheduling.k8s.io/v1',
  'priorityclasses',
  'PriorityClass',
  false,
);
export const runtimeClasses = resourceType<RuntimeClass>(
  'node.k8s.io/v1',
  'runtimeclasses',
  'RuntimeClass',
  false,
);
export const mutatingWebhookConfigurations = resourceType<MutatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'mutatingwebhookconfigurations',
  'MutatingWebhookConfiguration',
  false,
);
export const validatingWebhookConfigurations = resourceType<ValidatingWebhookConfiguration>(
  'admissionregistration.k8s.io/v1',
  'validatingwebhookconfigurations',
  'ValidatingWebhookConfiguration',
  false,
);
export const validatingAdmissionPolicies = resourceType<ValidatingAdmissionPolicy>(
  'admissionregistration.k8s.io/v1',
  'validatingadmissionpolicies',
  'ValidatingAdmissionPolicy',
  false,
);
export const validatingAdmissionPolicyBindings = resourceType<ValidatingAdmissionPolicyBinding>(
  'admissionregistration.k8s.io/v1',
  'validatingadmissionpolicybindings',
  'ValidatingAdmissionPolicyBinding',
  false,
);
export const mutatingAdmissionPolicies = resourceType<MutatingAdmissionPolicy>(
  'admissionregistration.k8s.io/v1',
  'mutatingadmissionpolicies',
  'MutatingAdmissionPolicy',
  false,
);
export const mutatingAdmissionPolicyBindings = resourceType<MutatingAdmissionPolicyBinding>(
  'admissionregistration.k8s.io/v1',
  'mutatingadmissionpolicybindings',
  'MutatingAdmissionPolicyBinding',
  false,
);
export const customResourceDefinitions = resourceType<CustomResourceDefinition>(
  'apiextensions.k8s.io/v1',
  'customresourcedefinitions',
  'CustomResourceDefinition',
  false,
);
export const apiServices = resourceType<APIService>(
  'apiregistration.k8s.io/v1',
  'apiservices',
  'APIService',
  false,
);
