/**
 * May you: system:masters may everything; agents may what the table of nodes says; all else is for the roles of the cluster
 * to say (`rbac.ts`). Called for every request and by the access reviews. What nothing allows is denied.
 */
import type { User } from '../registry/registry.js';
import type { Attributes, Authorizer, Decision, RuleResolver, UserRules } from './auth.js';
import { type Condition, nodeGrants, type ResourceGrant } from './grants.js';
import { nodeOfUser } from './nodeuser.js';
import type { Rbac } from './rbac.js';
import { bootstrapSecretName } from './token.js';

export interface AuthorizerOptions {
  /** The node a pod is bound to; `undefined` when there is no such pod. */
  nodeOfPod(namespace: string, name: string): Promise<string | undefined>;
  rbac: Pick<Rbac, 'decide' | 'rulesFor'>;
}

type Conditions = Readonly<
  Record<Condition, (request: Attributes, node: string) => boolean | Promise<boolean>>
>;

const conditionsOf = ({ nodeOfPod }: AuthorizerOptions): Conditions => ({
  ownNode: ({ name }, node) => name === node,
  ownLease: ({ verb, name, namespace }, node) =>
    namespace === 'kube-node-lease' && (verb === 'create' || name === node),
  /** Never all at once, and never what lets other hosts join. */
  oneObject: ({ resource, name = '' }) =>
    name !== '' && !(resource === 'secrets' && name.startsWith(bootstrapSecretName(''))),
  /** A pod that is gone may be "changed": the answer is then 404, which the agent waits for. */
  async ownPod({ namespace, name }, node) {
    if (!namespace || !name) return false;
    const bound = await nodeOfPod(namespace, name);
    return bound === undefined || bound === node;
  },
});

const allowed: Decision = { allowed: true, reason: '' };

const isMaster = ({ groups }: User): boolean => groups.includes('system:masters');

export function createAuthorizer(options: AuthorizerOptions): Authorizer & RuleResolver {
  const { rbac } = options;
  const conditions = conditionsOf(options);

  async function decideForNode(request: Attributes, node: string): Promise<Decision> {
    for (const grant of nodeGrants) {
      if (!grantsResource(grant, request)) continue;
      if (!grant.when || (await conditions[grant.when](request, node))) return allowed;
    }
    return rbac.decide(request);
  }

  return {
    authorize(request) {
      const { user } = request;
      if (isMaster(user)) return allowed;
      const node = request.path === undefined ? nodeOfUser(user.name, user.groups) : undefined;
      return node === undefined ? rbac.decide(request) : decideForNode(request, node);
    },
    async rulesFor(user, namespace) {
      if (isMaster(user)) return everything;
      const granted = await rbac.rulesFor(user, namespace);
      return nodeOfUser(user.name, user.groups) === undefined ? granted : withNodeRules(granted);
    },
  };
}

function grantsResource({ verbs, apiGroup, resources }: ResourceGrant, request: Attributes): boolean {
  const { resource, subresource } = request;
  const asked = subresource === '' ? resource : `${resource}/${subresource}`;
  return verbs.includes(request.verb) && apiGroup === request.group && resources.includes(asked);
}

const everything: UserRules = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

/** Grants with a condition cannot be told as rules. */
function withNodeRules({ resourceRules, nonResourceRules, incomplete }: UserRules): UserRules {
  const told = nodeGrants.filter((grant) => !grant.when);
  const why = 'what a node may do to its own objects is not listed';
  return {
    resourceRules: [
      ...told.map(({ verbs, apiGroup, resources }) => ({ verbs, apiGroups: [apiGroup], resources })),
      ...resourceRules,
    ],
    nonResourceRules,
    incomplete: incomplete ? `${why}; ${incomplete}` : why,
  };
}
