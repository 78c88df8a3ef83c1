/**
 * May you: system:masters may everything; nodes may what the node authorizer says; all else is for the roles of the cluster
 * to say (`rbac.ts`), and what a node may besides. Called for every request and by the access reviews. What nothing allows
 * is denied.
 */
import type { User } from '../registry/registry.js';
import type { Attributes, Authorizer, Decision, RuleResolver, UserRules } from './auth.js';
import { createNodeAuthorizer } from './nodeauthorizer.js';
import type { NodeGraph } from './nodegraph.js';
import { nodeOfUser } from './nodeuser.js';
import type { Rbac } from './rbac.js';

export interface AuthorizerOptions {
  graph: NodeGraph;
  rbac: Pick<Rbac, 'decide' | 'rulesFor'>;
}

const allowed: Decision = { allowed: true, reason: '' };

const isMaster = ({ groups }: User): boolean => groups.includes('system:masters');

export function createAuthorizer({ graph, rbac }: AuthorizerOptions): Authorizer & RuleResolver {
  const mayNode = createNodeAuthorizer(graph);

  async function decideForNode(request: Attributes, asked: Promise<Decision>): Promise<Decision> {
    const decision = await asked;
    return decision.allowed ? decision : otherwise(decision, await rbac.decide(request));
  }

  return {
    authorize(request) {
      const { user } = request;
      if (isMaster(user)) return allowed;
      const node = nodeOfUser(user.name, user.groups);
      if (node === undefined) return rbac.decide(request);
      const asked = mayNode(request, node);
      if (asked instanceof Promise) return decideForNode(request, asked);
      return asked.allowed ? asked : decideForNode(request, Promise.resolve(asked));
    },
    async rulesFor(user, namespace) {
      if (isMaster(user)) return everything;
      const granted = await rbac.rulesFor(user, namespace);
      return nodeOfUser(user.name, user.groups) === undefined ? granted : asIncomplete(granted);
    },
  };
}

/** Nobody's reason is lost, as in the chain of authorizers of kube-apiserver. */
const otherwise = (first: Decision, second: Decision): Decision =>
  second.allowed
    ? second
    : { ...second, reason: [first.reason, second.reason].filter((reason) => reason !== '').join('\n') };

const everything: UserRules = {
  resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
  nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
};

/** What depends on whose object it is cannot be told as rules. */
const asIncomplete = (granted: UserRules): UserRules => ({
  ...granted,
  incomplete: ['node authorizer does not support user rule resolution', granted.incomplete]
    .filter((why) => why !== undefined)
    .join(', '),
});
