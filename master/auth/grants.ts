/**
 * What each group of users may, as a table, until RBAC comes: the rows follow the default roles of Kubernetes. Pure data;
 * read by `authorizer.ts`.
 */

/** These verbs on these resources. `when` names a condition on the object, which `authorizer.ts` knows. */
export interface ResourceGrant {
  verbs: readonly string[];
  apiGroup: string;
  /** `pods`, `pods/status`. */
  resources: readonly string[];
  when?: Condition;
}

export type Condition = 'ownNode' | 'ownLease' | 'oneObject' | 'ownPod';

/** A path that ends in `*` means everything that begins so. */
export interface PathGrant {
  verbs: readonly string[];
  paths: readonly string[];
}

/** Of the members of a group. */
export interface GroupGrants {
  group: string;
  resources: readonly ResourceGrant[];
  paths: readonly PathGrant[];
}

const read = ['get', 'list', 'watch'];
const change = ['update', 'patch'];
const csr: ResourceGrant = {
  verbs: ['create', ...read],
  apiGroup: 'certificates.k8s.io',
  resources: ['certificatesigningrequests'],
};
const health = ['/healthz', '/healthz/*', '/livez', '/livez/*', '/readyz', '/readyz/*'];
const version = ['/version', '/version/'];

export const groupGrants: readonly GroupGrants[] = [
  // system:basic-user and system:discovery.
  {
    group: 'system:authenticated',
    resources: [
      {
        verbs: ['create'],
        apiGroup: 'authorization.k8s.io',
        resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      },
      { verbs: ['create'], apiGroup: 'authentication.k8s.io', resources: ['selfsubjectreviews'] },
    ],
    paths: [
      {
        verbs: ['get'],
        paths: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', ...health, ...version],
      },
    ],
  },
  // system:public-info-viewer.
  {
    group: 'system:unauthenticated',
    resources: [],
    paths: [{ verbs: ['get'], paths: [...health, ...version] }],
  },
  // system:service-account-issuer-discovery.
  {
    group: 'system:serviceaccounts',
    resources: [],
    paths: [{ verbs: ['get'], paths: ['/.well-known/openid-configuration', '/openid/v1/jwks'] }],
  },
  // system:monitoring.
  { group: 'system:monitoring', resources: [], paths: [{ verbs: ['get'], paths: ['/metrics', ...health] }] },
  // system:node-bootstrapper.
  { group: 'system:bootstrappers', resources: [csr], paths: [] },
];

/** Of an agent, whose user is `system:node:<name>`; the requests for tokens are checked further where they are answered. */
export const nodeGrants: readonly ResourceGrant[] = [
  { verbs: ['create'], apiGroup: '', resources: ['nodes'] },
  { verbs: change, apiGroup: '', resources: ['nodes', 'nodes/status'], when: 'ownNode' },
  {
    verbs: ['create', 'get', ...change],
    apiGroup: 'coordination.k8s.io',
    resources: ['leases'],
    when: 'ownLease',
  },
  {
    verbs: read,
    apiGroup: '',
    resources: ['pods', 'nodes', 'services', 'endpoints', 'namespaces', 'serviceaccounts'],
  },
  { verbs: read, apiGroup: '', resources: ['configmaps', 'secrets'], when: 'oneObject' },
  { verbs: read, apiGroup: 'discovery.k8s.io', resources: ['endpointslices'] },
  { verbs: ['delete'], apiGroup: '', resources: ['pods'], when: 'ownPod' },
  { verbs: change, apiGroup: '', resources: ['pods/status'], when: 'ownPod' },
  { verbs: ['create'], apiGroup: '', resources: ['serviceaccounts/token'] },
  { verbs: ['create', ...change], apiGroup: '', resources: ['events'] },
  { verbs: ['create'], apiGroup: 'authentication.k8s.io', resources: ['tokenreviews'] },
  {
    verbs: ['create'],
    apiGroup: 'authorization.k8s.io',
    resources: ['localsubjectaccessreviews', 'subjectaccessreviews'],
  },
  csr,
];
