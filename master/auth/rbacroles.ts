/**
 * The default roles of users that Kubernetes documents, as a table. Read by `rbacdefaults.ts`.
 * Endpoints cannot be written by editors, since that lets them reach into other namespaces.
 */
import { all, may, mayGet, type RoleRow, read, write } from './rbacrow.js';
import { systemRoles } from './rbacsystemroles.js';

const authentication = 'authentication.k8s.io';
const authorization = 'authorization.k8s.io';
const coordination = 'coordination.k8s.io';
const discovery = 'discovery.k8s.io';
const networking = 'networking.k8s.io';
const rbac = 'rbac.authorization.k8s.io';

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
    // As the metrics-server, which our own metrics stand for, brings it along.
    name: 'system:aggregated-metrics-reader',
    partOf: 'view',
    rules: [may(read, 'metrics.k8s.io', 'pods nodes')],
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

export const defaultRoles: readonly RoleRow[] = [...userRoles, ...everybodysRoles, ...systemRoles];
