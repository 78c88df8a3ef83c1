/**
 * The default roles of the controllers of Kubernetes, by the name of each, as a table. Ours run inside the master and
 * need none; those that people run besides are bound to these. Read by `rbacdefaults.ts`.
 */
import type { PolicyRule } from '../../src/api/types.js';
import { may, read, reportsEvents } from './rbacrow.js';

const certificates = 'certificates.k8s.io';
const discovery = 'discovery.k8s.io';
const networking = 'networking.k8s.io';
const storage = 'storage.k8s.io';

const podsOfAWorkload = may('list watch create delete patch', '', 'pods');
const revisions = may(`${read} create delete patch update`, 'apps', 'controllerrevisions');
const claims = 'persistentvolumeclaims';
const volumes = 'persistentvolumes';

export const controllerRules: Readonly<Record<string, readonly PolicyRule[]>> = {
  'attachdetach-controller': [
    may('list watch', '', `${volumes} ${claims} pods`),
    may(read, '', 'nodes'),
    may('patch update', '', 'nodes/status'),
    may(`${read} create delete`, storage, 'volumeattachments'),
    may(read, storage, 'csidrivers csinodes'),
    reportsEvents,
  ],
  'certificate-controller': [
    may(`${read} delete`, certificates, 'certificatesigningrequests'),
    may('update', certificates, 'certificatesigningrequests/status certificatesigningrequests/approval'),
    may('approve', certificates, 'signers', 'kubernetes.io/kube-apiserver-client-kubelet'),
    may(
      'sign',
      certificates,
      'signers',
      'kubernetes.io/legacy-unknown kubernetes.io/kubelet-serving kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet',
    ),
    may('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    reportsEvents,
  ],
  'clusterrole-aggregation-controller': [
    // It holds none of the rights that it gathers.
    may(`escalate ${read} patch update`, 'rbac.authorization.k8s.io', 'clusterroles'),
  ],
  'cronjob-controller': [
    may(`${read} update`, 'batch', 'cronjobs'),
    may(`${read} create delete patch update`, 'batch', 'jobs'),
    may('update', 'batch', 'cronjobs/status cronjobs/finalizers'),
    may('list watch delete', '', 'pods'),
    reportsEvents,
  ],
  'daemon-set-controller': [
    may(read, 'apps extensions', 'daemonsets'),
    may('update', 'apps extensions', 'daemonsets/status daemonsets/finalizers'),
    may('list watch', '', 'nodes'),
    podsOfAWorkload,
    may('create', '', 'pods/binding'),
    revisions,
    reportsEvents,
  ],
  'deployment-controller': [
    may(`${read} update`, 'apps extensions', 'deployments'),
    may('update', 'apps extensions', 'deployments/status deployments/finalizers'),
    may(`${read} create delete patch update`, 'apps extensions', 'replicasets'),
    may(`${read} update`, '', 'pods'),
    reportsEvents,
  ],
  'disruption-controller': [
    may(read, 'apps extensions', 'deployments replicasets'),
    may(read, '', 'replicationcontrollers'),
    may(read, 'apps', 'statefulsets'),
    may(read, 'policy', 'poddisruptionbudgets'),
    may('update', 'policy', 'poddisruptionbudgets/status'),
    may('patch update', '', 'pods/status'),
    may('get', '*', '*/scale'),
    reportsEvents,
  ],
  'endpoint-controller': [
    may(read, '', 'services pods'),
    may(`${read} create update delete`, '', 'endpoints'),
    may('create', '', 'endpoints/restricted'),
    reportsEvents,
  ],
  'endpointslice-controller': [
    may(read, '', 'services pods nodes'),
    may('update', '', 'services/finalizers'),
    may(`${read} create update delete`, discovery, 'endpointslices'),
    reportsEvents,
  ],
  'endpointslicemirroring-controller': [
    may(read, '', 'services endpoints'),
    may('update', '', 'services/finalizers endpoints/finalizers'),
    may(`${read} create update delete`, discovery, 'endpointslices'),
    reportsEvents,
  ],
  'ephemeral-volume-controller': [
    may(read, '', 'pods'),
    may('update', '', 'pods/finalizers'),
    may(`${read} create`, '', claims),
    reportsEvents,
  ],
  'expand-controller': [
    may(`${read} update patch`, '', volumes),
    may('update patch', '', `${claims}/status`),
    may(read, '', claims),
    may(read, storage, 'storageclasses'),
    may('get', '', 'services'),
    reportsEvents,
  ],
  'generic-garbage-collector': [may(`${read} patch update delete`, '*', '*'), reportsEvents],
  'horizontal-pod-autoscaler': [
    may(read, 'autoscaling', 'horizontalpodautoscalers'),
    may('update', 'autoscaling', 'horizontalpodautoscalers/status'),
    may('get update', '*', '*/scale'),
    may('list watch', '', 'pods'),
    may('list watch', 'metrics.k8s.io', 'pods'),
    may(read, 'custom.metrics.k8s.io external.metrics.k8s.io', '*'),
    reportsEvents,
  ],
  'job-controller': [
    may(`${read} update patch`, 'batch', 'jobs'),
    may('update patch', 'batch', 'jobs/status'),
    may('update', 'batch', 'jobs/finalizers'),
    podsOfAWorkload,
    reportsEvents,
  ],
  'legacy-service-account-token-cleaner': [
    may('get', '', 'configmaps', 'kube-apiserver-legacy-service-account-token-tracking'),
    may('patch delete', '', 'secrets'),
  ],
  'namespace-controller': [
    may(`${read} delete`, '', 'namespaces'),
    may('update', '', 'namespaces/finalize namespaces/status'),
    may(`${read} delete deletecollection`, '*', '*'),
  ],
  'node-controller': [
    may(`${read} update delete patch`, '', 'nodes'),
    may('patch update', '', 'nodes/status pods/status'),
    may(`${read} delete`, '', 'pods'),
    reportsEvents,
  ],
  'persistent-volume-binder': [
    may(`${read} update create delete`, '', volumes),
    may('update', '', `${volumes}/status ${claims}/status`),
    may(`${read} update`, '', claims),
    may(`${read} create delete`, '', 'pods'),
    may(read, storage, 'storageclasses'),
    may(read, '', 'nodes'),
    may('watch', '', 'events'),
    may('get', '', 'services'),
    reportsEvents,
  ],
  'pod-garbage-collector': [
    may('list watch delete', '', 'pods'),
    may(read, '', 'nodes'),
    may('patch', '', 'pods/status'),
  ],
  'pv-protection-controller': [may(`${read} update`, '', volumes), reportsEvents],
  'pvc-protection-controller': [may(`${read} update`, '', claims), may(read, '', 'pods'), reportsEvents],
  'replicaset-controller': [
    may(`${read} update`, 'apps extensions', 'replicasets'),
    may('update', 'apps extensions', 'replicasets/status replicasets/finalizers'),
    podsOfAWorkload,
    reportsEvents,
  ],
  'replication-controller': [
    may(`${read} update`, '', 'replicationcontrollers'),
    may('update', '', 'replicationcontrollers/status replicationcontrollers/finalizers'),
    podsOfAWorkload,
    reportsEvents,
  ],
  'resource-claim-controller': [
    may(read, '', 'pods'),
    may('update', '', 'pods/finalizers'),
    may(`${read} create delete`, 'resource.k8s.io', 'resourceclaims'),
    may('update patch', 'resource.k8s.io', 'resourceclaims resourceclaims/status'),
    may('update patch', '', 'pods/status'),
    reportsEvents,
  ],
  'resourcequota-controller': [
    may('list watch', '*', '*'),
    may('update', '', 'resourcequotas/status'),
    reportsEvents,
  ],
  'root-ca-cert-publisher': [may('create update', '', 'configmaps'), reportsEvents],
  'route-controller': [may('list watch', '', 'nodes'), may('patch', '', 'nodes/status'), reportsEvents],
  'selinux-warning-controller': [
    reportsEvents,
    may(read, '', `${volumes} ${claims} pods`),
    may(read, storage, 'csidrivers'),
  ],
  'service-account-controller': [may('create', '', 'serviceaccounts'), reportsEvents],
  'service-cidrs-controller': [
    may(`${read} patch update`, networking, 'servicecidrs'),
    may('patch update', networking, 'servicecidrs/finalizers servicecidrs/status'),
    may(read, networking, 'ipaddresses'),
    reportsEvents,
  ],
  'service-controller': [
    may(read, '', 'services'),
    may('patch update', '', 'services/status'),
    may('list watch', '', 'nodes'),
    reportsEvents,
  ],
  'statefulset-controller': [
    may('list watch', '', 'pods'),
    may(read, 'apps', 'statefulsets'),
    may('update', 'apps', 'statefulsets/status statefulsets/finalizers'),
    may('get create delete update patch', '', 'pods'),
    revisions,
    may('get create update list watch delete', '', claims),
    may('update', '', 'pods/finalizers'),
    reportsEvents,
  ],
  'ttl-after-finished-controller': [may(`${read} delete`, 'batch', 'jobs'), reportsEvents],
  'ttl-controller': [may('list watch patch update', '', 'nodes'), reportsEvents],
  'validatingadmissionpolicy-status-controller': [
    may(read, 'admissionregistration.k8s.io', 'validatingadmissionpolicies'),
    may('get patch update', 'admissionregistration.k8s.io', 'validatingadmissionpolicies/status'),
    reportsEvents,
  ],
  'volumeattributesclass-protection-controller': [
    may(read, '', `${claims} ${volumes}`),
    may(`${read} update`, storage, 'volumeattributesclasses'),
    reportsEvents,
  ],
};
