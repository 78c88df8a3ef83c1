/**
 * May a node, as the Node authorizer of Kubernetes documents it: of Secrets, ConfigMaps, claims, volumes and service
 * accounts only those of its own pods, its own Lease and CSINode, its own pods; of all else what `noderules.ts` says. What
 * it may write is narrowed down further by the admission plugin NodeRestriction, which sees the objects. Called by
 * `authorizer.ts`; answers without a promise wherever the graph knows at once.
 */
import { parseFieldSelector } from '../../src/api/selectors.js';
import type { Attributes, Decision } from './auth.js';
import type { NodeGraph } from './nodegraph.js';
import { agentRules, nodeRules } from './noderules.js';
import type { ReferencedKind } from './podreferences.js';
import { allowsRequest } from './rbacmatch.js';

type Answer = Decision | Promise<Decision>;

type Check = (request: Attributes, node: string) => Answer;

const allowed: Decision = { allowed: true, reason: '' };
const noOpinion: Decision = { allowed: false, reason: '' };
const because = (reason: string): Decision => ({ allowed: false, reason });

const readVerbs = ['get', 'list', 'watch'];
const ownVerbs = ['get', 'create', 'update', 'patch', 'delete'];
const leaseNamespace = 'kube-node-lease';

/** `node` is '' for a user whose name does not tell. Never denies: what it does not allow, roles may. */
export function createNodeAuthorizer(graph: NodeGraph): Check {
  function related(node: string, relation: boolean | Promise<boolean>): Answer {
    const decide = (isRelated: boolean): Decision =>
      isRelated ? allowed : because(`no relationship found between node '${node}' and this object`);
    return typeof relation === 'boolean' ? decide(relation) : relation.then(decide);
  }

  function used(kind: ReferencedKind, { namespace, name }: Attributes, node: string): Answer {
    if (!name) return because('No Object name found');
    if (!namespace) return because('can only read namespaced object of this type');
    return related(node, graph.uses(node, kind, { namespace, name }));
  }

  /** Also lists and watches of one object, which is what a kubelet follows. */
  const readsUsed =
    (kind: ReferencedKind): Check =>
    (request, node) => {
      if (!readVerbs.includes(request.verb)) return because('can only read resources of this type');
      if (request.subresource !== '') return because('cannot read subresource');
      return used(kind, request, node);
    };

  const gets =
    (check: Check): Check =>
    (request, node) => {
      if (request.verb !== 'get') return because('can only get individual resources of this type');
      if (request.subresource !== '') return because('cannot get subresource');
      return check(request, node);
    };

  /** Unlike a kubelet, which gets it time and again, our agent watches the claim until it is bound. */
  const claim: Check = (request, node) => {
    if (request.subresource !== 'status') return readsUsed('persistentvolumeclaims')(request, node);
    if (request.verb !== 'update' && request.verb !== 'patch')
      return because('can only get/update/patch this type');
    return used('persistentvolumeclaims', request, node);
  };

  const byName =
    (relation: (node: string, name: string) => boolean | Promise<boolean>): Check =>
    ({ name }, node) =>
      name ? related(node, relation(node, name)) : because('No Object name found');

  const serviceAccount: Check = (request, node) => {
    if (request.subresource === '')
      return gets((asked) => used('serviceaccounts', asked, node))(request, node);
    if (request.verb !== 'create' || !request.name)
      return because('can only create tokens for individual service accounts');
    if (request.subresource !== 'token')
      return because('can only create token subresource of serviceaccount');
    return used('serviceaccounts', request, node);
  };

  function ownPod({ namespace, name }: Attributes, node: string): Answer {
    if (!name) return because('No Object name found');
    return namespace ? related(node, graph.hasPod(node, { namespace, name })) : noOpinion;
  }

  const pod: Check = (request, node) => {
    const { verb, subresource, fieldSelector } = request;
    if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allowed : noOpinion;
    if (subresource === 'eviction') return verb === 'create' ? allowed : noOpinion;
    if (subresource !== '') return noOpinion;
    if (verb === 'create' || verb === 'delete') return allowed;
    if (verb === 'get') return ownPod(request, node);
    if (verb !== 'list' && verb !== 'watch') return noOpinion;
    if (selects(fieldSelector, 'spec.nodeName', node)) return allowed;
    if (request.name) return ownPod(request, node);
    return because('can only list/watch pods with spec.nodeName field selector');
  };

  const checks: ReadonlyMap<string, Check> = new Map([
    ['/secrets', readsUsed('secrets')],
    ['/configmaps', readsUsed('configmaps')],
    ['/persistentvolumeclaims', claim],
    ['/persistentvolumes', gets(byName((node, name) => graph.usesVolume(node, name)))],
    ['/serviceaccounts', serviceAccount],
    ['/pods', pod],
    ['storage.k8s.io/volumeattachments', gets(byName((node, name) => graph.hasAttachment(node, name)))],
    ['storage.k8s.io/csinodes', ownCsiNode],
    ['coordination.k8s.io/leases', ownLease],
  ]);

  return (request, node) => {
    if (node === '') return because(`unknown node for user ${JSON.stringify(request.user.name)}`);
    const check = request.path === undefined && checks.get(`${request.group}/${request.resource}`);
    return check ? check(request, node) : byRules(request);
  };
}

const byRules = (request: Attributes): Decision =>
  [...nodeRules, ...agentRules].some((rule) => allowsRequest(rule, request)) ? allowed : noOpinion;

/** The name of what is created is not known here; admission looks at it. */
function ownLease({ verb, namespace, name, subresource }: Attributes, node: string): Decision {
  if (!ownVerbs.includes(verb) || subresource !== '')
    return because('can only get, create, update, patch, or delete a node lease');
  if (namespace !== leaseNamespace)
    return because(`can only access leases in the "${leaseNamespace}" system namespace`);
  return verb === 'create' || name === node
    ? allowed
    : because('can only access node lease with the same name as the requesting node');
}

function ownCsiNode({ verb, name, subresource }: Attributes, node: string): Decision {
  if (!ownVerbs.includes(verb)) return because('can only get, create, update, patch, or delete a CSINode');
  if (subresource !== '') return because('cannot authorize CSINode subresources');
  return verb === 'create' || name === node
    ? allowed
    : because('can only access CSINode with the same name as the requesting node');
}

/** Whether the selector, as sent, chooses nothing but objects whose field has the value. One that cannot be read does not. */
function selects(text: string | undefined, field: string, value: string): boolean {
  if (!text) return false;
  try {
    return parseFieldSelector(text).some(
      (one) => one.field === field && one.operator === '=' && one.value === value,
    );
  } catch {
    return false;
  }
}
