/**
 * May you: the table of `grants.ts`, until RBAC comes and takes over behind the same interface. Called for every request
 * and by the access reviews.
 *
 * system:masters may everything; agents may what an agent needs, and change only their own Node, Lease and pods;
 * joining hosts may ask for a certificate; everyone known may discover the API. What nothing allows is denied.
 */
import type { User } from '../registry/registry.js';
import type { Attributes, Authorizer, Decision, RuleResolver, UserRules } from './auth.js';
import {
  type Condition,
  type GroupGrants,
  groupGrants,
  nodeGrants,
  type PathGrant,
  type ResourceGrant,
} from './grants.js';
import { bootstrapSecretName } from './token.js';

export interface AuthorizerOptions {
  /** The node a pod is bound to; `undefined` when there is no such pod. */
  nodeOfPod(namespace: string, name: string): Promise<string | undefined>;
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
const denied: Decision = { allowed: false, reason: '' };

const isMaster = ({ groups }: User): boolean => groups.includes('system:masters');

const grantsOf = ({ groups }: User): GroupGrants[] =>
  groupGrants.filter(({ group }) => groups.includes(group));

export function createAuthorizer(options: AuthorizerOptions): Authorizer & RuleResolver {
  const conditions = conditionsOf(options);

  async function decide(request: Attributes): Promise<Decision> {
    const { user, path } = request;
    const groups = grantsOf(user);
    if (path !== undefined)
      return groups.some(({ paths }) => paths.some((grant) => grantsPath(grant, request.verb, path)))
        ? allowed
        : denied;
    if (groups.some(({ resources }) => resources.some((grant) => grantsResource(grant, request))))
      return allowed;
    const node = nodeOfUser(user.name, user.groups);
    if (node === undefined) return denied;
    for (const grant of nodeGrants) {
      if (!grantsResource(grant, request)) continue;
      if (!grant.when || (await conditions[grant.when](request, node))) return allowed;
    }
    return denied;
  }

  return {
    authorize: (request) => (isMaster(request.user) ? allowed : decide(request)),
    rulesFor,
  };
}

/** The node an agent speaks for: user `system:node:<name>` of group system:nodes, as the node authorizer documents. */
export function nodeOfUser(name: string, groups: readonly string[]): string | undefined {
  const prefix = 'system:node:';
  return groups.includes('system:nodes') && name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

function grantsResource({ verbs, apiGroup, resources }: ResourceGrant, request: Attributes): boolean {
  const { resource, subresource } = request;
  const asked = subresource === '' ? resource : `${resource}/${subresource}`;
  return verbs.includes(request.verb) && apiGroup === request.group && resources.includes(asked);
}

/** HEAD reads no more than GET. */
const grantsPath = ({ verbs, paths }: PathGrant, verb: string, path: string): boolean =>
  verbs.includes(verb === 'head' ? 'get' : verb) &&
  paths.some((allow) => (allow.endsWith('*') ? path.startsWith(allow.slice(0, -1)) : path === allow));

/** Every namespace has the same: the table knows none. Grants with a condition cannot be told as rules. */
function rulesFor(user: User): UserRules {
  if (isMaster(user)) {
    return {
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    };
  }
  const groups = grantsOf(user);
  const own = nodeOfUser(user.name, user.groups) === undefined ? [] : nodeGrants;
  const resources = [...groups.flatMap((group) => group.resources), ...own];
  return {
    resourceRules: resources
      .filter((grant) => !grant.when)
      .map(({ verbs, apiGroup, resources }) => ({ verbs, apiGroups: [apiGroup], resources })),
    nonResourceRules: groups
      .flatMap((group) => group.paths)
      .map(({ verbs, paths }) => ({ verbs, nonResourceURLs: paths })),
    ...(resources.some((grant) => grant.when) && {
      incomplete: 'what a node may do to its own objects is not listed',
    }),
  };
}
