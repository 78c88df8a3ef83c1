/**
 * The default roles that Kubernetes documents, but those of its controllers, as a table. Read by `rbacdefaults.ts`.
 * Endpoints cannot be written by editors, since that lets them reach into other namespaces.
 */
import { all, may, mayGet, type RoleRow, read, reportsEvents, write } from './rbacrow.js';

const authentication = 'authentication.k8s.io';
const authorization = 'authorization.k8s.io';
const certificates = 'certificates.k8s.io';
const coordination = 'coordination.k8s.io';
const discovery = 'discovery.k8s.io';
const networking = 'networking.k8s.io';
const rbac = 'rbac.authorization.k8s.io';
const storage = 'storage.k8s.io';

const health = '/livez /readyz /healthz';
const version = '/version /version/';
const workloads = 'deployments deployments/scale replicasets replicasets/scale';

const userRoles: readonly RoleRow[] = [
  {
    name: 'cluster-admin',
    rules: [may('*', '*', '*'), { verbs: ['*'], nonResourceURLs: ['*'] }],
  },
  { name: 'admin', isGathered: true, rules: [] },
  { name: 'edit', isGathered: true, partOf: 'admin', rules: [] },
  { name: 'view', isGathered: true, partOf: 'edit', rules: [] },
  {
    name: 'system:aggregate-to-admin',
    partOf: 'admin',
    rules: [may('create', authorization, 'localsubjectaccessreviews'), may(all, rbac, 'roles rolebindings')],
  },
  {
    name: 'system:aggregate-to-edit',
    partOf: 'edit',
    rules: [
      may(read, '', 'pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy'),
      may('impersonate', '', 'serviceaccounts'),
      may(write, '', 'pods pods/attach pods/proxy pods/exec pods/portforward'),
      may('create', '', 'pods/eviction serviceaccounts/token'),
      may(
        write,
        '',
        'replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy persistentvolumeclaims configmaps secrets events',
      ),
      may(write, 'apps', `statefulsets statefulsets/scale daemonsets deployments/rollback ${workloads}`),
      may(write, 'autoscaling', 'horizontalpodautoscalers'),
      may(write, 'batch', 'jobs cronjobs'),
      may(
        write,
        'extensions',
        `daemonsets deployments/rollback ingresses networkpolicies replicationcontrollers/scale ${workloads}`,
      ),
      may(write, 'policy', 'poddisruptionbudgets'),
      may(write, networking, 'networkpolicies ingresses'),
      may(all, coordination, 'leases'),
    ],
  },
  {
    name: 'system:aggregate-to-view',
    partOf: 'view',
    rules: [
      may(
        read,
        '',
        'pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps',
      ),
      may(
        read,
        '',
        'limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status replicationcontrollers/status pods/log',
      ),
      may(read, '', 'namespaces'),
      may(read, discovery, 'endpointslices'),
      may(
        read,
        'apps',
        `controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status deployments/status replicasets/status ${workloads}`,
      ),
      may(read, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
      may(read, 'batch', 'jobs cronjobs cronjobs/status jobs/status'),
      may(
        read,
        'extensions',
        `daemonsets daemonsets/status deployments/status ingresses ingresses/status networkpolicies replicasets/status replicationcontrollers/scale ${workloads}`,
      ),
      may(read, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
      may(read, networking, 'networkpolicies ingresses ingresses/status'),
    ],
  },
];

const everybodysRoles: readonly RoleRow[] = [
  {
    name: 'system:discovery',
    rules: [mayGet(`${health} ${version} /openapi /openapi/* /api /api/* /apis /apis/*`)],
  },
  { name: 'system:public-info-viewer', rules: [mayGet(`${health} ${version}`)] },
  {
    name: 'system:basic-user',
    rules: [
      may('create', authorization, 'selfsubjectaccessreviews selfsubjectrulesreviews'),
      may('create', authentication, 'selfsubjectreviews'),
    ],
  },
  {
    name: 'system:monitoring',
    rules: [mayGet('/metrics /metrics/slis /livez /readyz /healthz /livez/* /readyz/* /healthz/*')],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      mayGet(
        '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
      ),
    ],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      may('create', authentication, 'tokenreviews'),
      may('create', authorization, 'subjectaccessreviews'),
    ],
  },
];

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
  {
    name: 'system:node',
    rules: [
      may('create', authentication, 'tokenreviews'),
      may('create', authorization, 'subjectaccessreviews localsubjectaccessreviews'),
      may(read, '', 'services pods secrets configmaps'),
      may(`create ${read} update patch`, '', 'nodes'),
      may('update patch', '', 'nodes/status pods/status'),
      may('create update patch', '', 'events'),
      may('create delete', '', 'pods'),
      may('create', '', 'pods/eviction serviceaccounts/token'),
      may('get', '', 'persistentvolumeclaims persistentvolumes endpoints serviceaccounts'),
      may('get update patch', '', 'persistentvolumeclaims/status'),
      may(`create ${read}`, certificates, 'certificatesigningrequests'),
      may('get create update patch delete', coordination, 'leases'),
      may('get', storage, 'volumeattachments'),
      may(read, storage, 'csidrivers'),
      may('get create update patch delete', storage, 'csinodes'),
      may(read, 'node.k8s.io', 'runtimeclasses'),
    ],
  },
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
];

export const defaultRoles: readonly RoleRow[] = [
  ...userRoles,
  ...everybodysRoles,
  ...componentRoles,
  ...nodeRoles,
  ...certificateRoles,
  ...namespacedRoles,
];
