/**
 * May you: a table of rules, until RBAC comes and takes over behind the same interface. Called for every request.
 *
 * system:masters may everything; agents may what an agent needs, and change only their own Node, Lease and pods;
 * joining hosts may ask for a certificate; everyone known may discover the API. What no rule allows is denied.
 */
import type { Attributes, Authorizer, Decision } from './auth.js';
import { bootstrapSecretName } from './token.js';

/** One row: these verbs on these resources, if `when` says so. */
interface Rule {
  verbs: readonly string[];
  group: string;
  /** `pods`, `pods/status`. */
  resources: readonly string[];
  when?: (request: Attributes, node: string) => boolean | Promise<boolean>;
}

export interface AuthorizerOptions {
  /** The node a pod is bound to; `undefined` when there is no such pod. */
  nodeOfPod(namespace: string, name: string): Promise<string | undefined>;
}

const read = ['get', 'list', 'watch'];
const change = ['update', 'patch'];

const bootstrapRules: readonly Rule[] = [
  { verbs: ['create', ...read], group: 'certificates.k8s.io', resources: ['certificatesigningrequests'] },
];

function nodeRules({ nodeOfPod }: AuthorizerOptions): readonly Rule[] {
  const isOwnName = ({ name }: Attributes, node: string): boolean => name === node;
  const isOwnLease = ({ verb, name, namespace }: Attributes, node: string): boolean =>
    namespace === 'kube-node-lease' && (verb === 'create' || name === node);
  /** Never all at once, and never what lets other hosts join. */
  const isOneObject = ({ resource, name = '' }: Attributes): boolean =>
    name !== '' && !(resource === 'secrets' && name.startsWith(bootstrapSecretName('')));
  /** A pod that is gone may be "changed": the answer is then 404, which the agent waits for. */
  const isOwnPod = async ({ namespace, name }: Attributes, node: string): Promise<boolean> => {
    if (!namespace || !name) return false;
    const bound = await nodeOfPod(namespace, name);
    return bound === undefined || bound === node;
  };
  return [
    { verbs: ['create'], group: '', resources: ['nodes'] },
    { verbs: change, group: '', resources: ['nodes', 'nodes/status'], when: isOwnName },
    {
      verbs: ['create', 'get', ...change],
      group: 'coordination.k8s.io',
      resources: ['leases'],
      when: isOwnLease,
    },
    {
      verbs: read,
      group: '',
      resources: ['pods', 'nodes', 'services', 'endpoints', 'namespaces', 'serviceaccounts'],
    },
    { verbs: read, group: '', resources: ['configmaps', 'secrets'], when: isOneObject },
    { verbs: read, group: 'discovery.k8s.io', resources: ['endpointslices'] },
    { verbs: ['delete'], group: '', resources: ['pods'], when: isOwnPod },
    { verbs: change, group: '', resources: ['pods/status'], when: isOwnPod },
    { verbs: ['create', ...change], group: '', resources: ['events'] },
    { verbs: ['create', ...read], group: 'certificates.k8s.io', resources: ['certificatesigningrequests'] },
  ];
}

/** For everyone who is known, by GET: what clients discover the API with. */
const discoveryPaths = /^\/(?:api|apis|openapi|version|healthz|livez|readyz)(?:\/|$)/;
const publicPaths = /^\/(?:version|healthz|livez|readyz)(?:\/|$)/;

const allowed: Decision = { allowed: true, reason: '' };
const denied: Decision = { allowed: false, reason: '' };

export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const forNodes = nodeRules(options);

  async function decide(request: Attributes): Promise<boolean> {
    const { name, groups } = request.user;
    if (request.path !== undefined) return mayReadPath(request);
    const node = nodeOfUser(name, groups);
    if (node !== undefined && (await anyAllows(forNodes, request, node))) return true;
    return groups.includes('system:bootstrappers') && anyAllows(bootstrapRules, request, '');
  }

  return {
    authorize: (request) =>
      request.user.groups.includes('system:masters')
        ? allowed
        : decide(request).then((may) => (may ? allowed : denied)),
  };
}

/** The node an agent speaks for: user `system:node:<name>` of group system:nodes, as the node authorizer documents. */
export function nodeOfUser(name: string, groups: readonly string[]): string | undefined {
  const prefix = 'system:node:';
  return groups.includes('system:nodes') && name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

function mayReadPath({ user, verb, path = '' }: Attributes): boolean {
  if (verb !== 'get' && verb !== 'head') return false;
  return (user.groups.includes('system:authenticated') ? discoveryPaths : publicPaths).test(path);
}

async function anyAllows(rules: readonly Rule[], request: Attributes, node: string): Promise<boolean> {
  const resource =
    request.subresource === '' ? request.resource : `${request.resource}/${request.subresource}`;
  for (const rule of rules) {
    const matches =
      rule.verbs.includes(request.verb) && rule.group === request.group && rule.resources.includes(resource);
    if (matches && (!rule.when || (await rule.when(request, node)))) return true;
  }
  return false;
}
