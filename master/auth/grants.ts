/**
 * What the agent of a node may, as a table: beyond roles, since it depends on whose object it is. Pure data; read by
 * `authorizer.ts`.
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

const read = ['get', 'list', 'watch'];
const change = ['update', 'patch'];
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
  {
    verbs: read,
    apiGroup: '',
    resources: ['configmaps', 'secrets', 'persistentvolumeclaims'],
    when: 'oneObject',
  },
  { verbs: ['get'], apiGroup: '', resources: ['persistentvolumes'] },
  { verbs: read, apiGroup: 'discovery.k8s.io', resources: ['endpointslices'] },
  { verbs: read, apiGroup: 'node.k8s.io', resources: ['runtimeclasses'] },
  // Of its static pods only: the registry looks at what is sent.
  { verbs: ['create'], apiGroup: '', resources: ['pods'] },
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
  {
    verbs: ['create', ...read],
    apiGroup: 'certificates.k8s.io',
    resources: ['certificatesigningrequests'],
  },
];
