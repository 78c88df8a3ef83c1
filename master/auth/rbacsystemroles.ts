/**
 * The default roles of nodes, of the components of Kubernetes and of those who approve certificates, as a table. Read with
 * those of users by `rbacdefaults.ts`.
 */
import { nodeRules } from './noderules.js';
import { may, type RoleRow, read, reportsEvents } from './rbacrow.js';

const authentication = 'authentication.k8s.io';
const authorization = 'authorization.k8s.io';
const certificates = 'certificates.k8s.io';
const coordination = 'coordination.k8s.io';
const discovery = 'discovery.k8s.io';
const networking = 'networking.k8s.io';
const storage = 'storage.k8s.io';

const leads = (name: string) => [
  may('create', coordination, 'leases'),
  may('get list update watch', coordination, 'leases', name),
];

const componentRoles: readonly RoleRow[] = [
  {
    name: 'system:kube-controller-manager',
    rules: [
      reportsEvents,
      ...leads('kube-controller-manager'),
      may('create', '', 'secrets serviceaccounts serviceaccounts/token'),
      may('delete', '', 'secrets'),
      may('get', '', 'namespaces secrets serviceaccounts configmaps'),
      may('update', '', 'secrets serviceaccounts'),
      may('create', authentication, 'tokenreviews'),
      may('create', authorization, 'subjectaccessreviews'),
      may('list watch', '*', '*'),
    ],
  },
  {
    name: 'system:kube-scheduler',
    rules: [
      reportsEvents,
      ...leads('kube-scheduler'),
      may(
        read,
        '',
        'nodes namespaces replicationcontrollers services persistentvolumeclaims persistentvolumes',
      ),
      may(`${read} delete`, '', 'pods'),
      may('create', '', 'pods/binding bindings'),
      may('patch update', '', 'pods/status'),
      may(read, 'apps extensions', 'replicasets'),
      may(read, 'apps', 'statefulsets'),
      may(read, 'policy', 'poddisruptionbudgets'),
      may('create', authentication, 'tokenreviews'),
      may('create', authorization, 'subjectaccessreviews'),
      may(read, storage, 'csinodes csidrivers csistoragecapacities volumeattachments'),
    ],
  },
  {
    name: 'system:volume-scheduler',
    rules: [
      may(`${read} update patch`, '', 'persistentvolumes persistentvolumeclaims'),
      may(read, storage, 'storageclasses'),
    ],
  },
  { name: 'system:kube-dns', rules: [may('list watch', '', 'endpoints services')] },
  { name: 'system:kube-aggregator', rules: [may(read, '', 'services endpoints')] },
  {
    name: 'system:heapster',
    rules: [may(read, '', 'events pods nodes namespaces'), may(read, 'extensions', 'deployments')],
  },
  {
    name: 'system:persistent-volume-provisioner',
    rules: [
      may(`${read} create delete`, '', 'persistentvolumes'),
      may(`${read} update`, '', 'persistentvolumeclaims'),
      may(read, storage, 'storageclasses'),
      may('watch', '', 'events'),
      reportsEvents,
    ],
  },
];

const nodeRoles: readonly RoleRow[] = [
  { name: 'system:node', rules: nodeRules },
  {
    name: 'system:node-bootstrapper',
    rules: [may(`create ${read}`, certificates, 'certificatesigningrequests')],
  },
  {
    name: 'system:node-proxier',
    rules: [
      may('list watch', '', 'services endpoints'),
      may(read, '', 'nodes'),
      reportsEvents,
      may('list watch', discovery, 'endpointslices'),
      may('list watch', networking, 'servicecidrs'),
    ],
  },
  {
    name: 'system:node-problem-detector',
    rules: [may('get', '', 'nodes'), may('patch', '', 'nodes/status'), reportsEvents],
  },
  {
    name: 'system:kubelet-api-admin',
    rules: [
      may(`${read} proxy`, '', 'nodes'),
      may(
        '*',
        '',
        'nodes/proxy nodes/metrics nodes/stats nodes/log nodes/spec nodes/configz nodes/healthz nodes/pods',
      ),
    ],
  },
];

const requests = 'certificatesigningrequests';
const signerRole = (name: string, signer: string): RoleRow => ({
  name: `system:${certificates}:${name}`,
  rules: [may('approve', certificates, 'signers', `kubernetes.io/${signer}`)],
});

const certificateRoles: readonly RoleRow[] = [
  ...['nodeclient', 'selfnodeclient'].map((kind) => ({
    name: `system:${certificates}:${requests}:${kind}`,
    rules: [may('create', certificates, `${requests}/${kind}`)],
  })),
  signerRole('legacy-unknown-approver', 'legacy-unknown'),
  signerRole('kubelet-serving-approver', 'kubelet-serving'),
  signerRole('kube-apiserver-client-approver', 'kube-apiserver-client'),
  signerRole('kube-apiserver-client-kubelet-approver', 'kube-apiserver-client-kubelet'),
];

const system = 'kube-system';
const leaderRole = (component: string): RoleRow => ({
  name: `system::leader-locking-${component}`,
  namespace: system,
  rules: [may('watch', '', 'configmaps'), may('get update', '', 'configmaps', component)],
});

const namespacedRoles: readonly RoleRow[] = [
  {
    name: 'extension-apiserver-authentication-reader',
    namespace: system,
    rules: [may(read, '', 'configmaps', 'extension-apiserver-authentication')],
  },
  { name: 'system:controller:bootstrap-signer', namespace: system, rules: [may(read, '', 'secrets')] },
  {
    name: 'system:controller:cloud-provider',
    namespace: system,
    rules: [may(`create ${read}`, '', 'configmaps')],
  },
  {
    name: 'system:controller:token-cleaner',
    namespace: system,
    rules: [may(`${read} delete`, '', 'secrets'), reportsEvents],
  },
  leaderRole('kube-controller-manager'),
  leaderRole('kube-scheduler'),
  {
    name: 'system:controller:bootstrap-signer',
    namespace: 'kube-public',
    rules: [may(read, '', 'configmaps'), may('update', '', 'configmaps', 'cluster-info'), reportsEvents],
  },
  {
    name: 'wherry:cluster-info',
    namespace: 'kube-public',
    rules: [may(read, '', 'configmaps', 'cluster-info')],
  },
];

export const systemRoles: readonly RoleRow[] = [
  ...componentRoles,
  ...nodeRoles,
  ...certificateRoles,
  ...namespacedRoles,
];
