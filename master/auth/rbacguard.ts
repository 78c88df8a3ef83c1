/**
 * Nobody grants what they do not hold: who writes a role must have its rules already or may `escalate` it, who writes a
 * binding must have the role's rules or may `bind` it. Part of admission, asked for writes of roles and bindings alone;
 * rules and words as kube-apiserver has them. Members of system:masters are exempt.
 */
import { isDeepStrictEqual } from 'node:util';
import { ApiError, forbidden } from '../../src/api/errors.js';
import type { ClusterRole, KubeObject, PolicyRule, RoleBinding } from '../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../registry/admission.js';
import type { Authorizer } from './auth.js';
import type { RoleBook } from './rbac.js';
import { describeRights, missingRights, quotedList } from './rbaccover.js';
import { joinProblems, rbacGroup, roleNotFound } from './rbacindex.js';

export interface RbacGuardOptions {
  roles: RoleBook;
  authorizer: Authorizer;
}

/** Selectors gather anything, now and later. */
const fullRights: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

const roleKinds = ['roles', 'clusterroles'];
const bindingKinds = ['rolebindings', 'clusterrolebindings'];

export function createRbacGuard({ roles, authorizer }: RbacGuardOptions): Admission {
  const isAllowed = async (
    { context, namespace }: AdmissionRequest,
    verb: string,
    resource: string,
    name: string | undefined,
  ): Promise<boolean> => {
    const { user } = context;
    const what = { group: rbacGroup, version: '*', resource, subresource: '', path: undefined };
    return (await authorizer.authorize({ ...what, user, verb, namespace, name })).allowed;
  };

  function requireHeld(request: AdmissionRequest, asked: readonly PolicyRule[], why?: string): void {
    const { user } = request.context;
    const { rules, errors } = roles.held(user, request.namespace);
    const missing = missingRights(rules, asked);
    if (missing.length === 0) return;
    const who = `user ${JSON.stringify(user.name)} (groups=${quotedList(user.groups)})`;
    const told = `${who} is attempting to grant RBAC permissions not currently held:\n${describeRights(missing).join('\n')}`;
    const problems = errors.length > 0 ? `; resolution errors: [${joinProblems(errors)}]` : '';
    throw refusal(request, why ?? told + problems);
  }

  async function checkRole(request: AdmissionRequest): Promise<void> {
    const { resource, name } = request;
    if (await isAllowed(request, 'escalate', resource.type.resource, name)) return;
    const role = request.object as ClusterRole;
    requireHeld(request, role.rules ?? []);
    if (gathers(role) || gathers(request.oldObject as ClusterRole | undefined))
      requireHeld(request, fullRights, 'must have cluster-admin privileges to use the aggregationRule');
  }

  async function checkBinding(request: AdmissionRequest): Promise<void> {
    const { roleRef } = request.object as RoleBinding;
    const resource = roleRef.kind === 'Role' ? 'roles' : 'clusterroles';
    if (await isAllowed(request, 'bind', resource, roleRef.name)) return;
    const rules = roles.rulesOf(roleRef, request.namespace);
    if (!rules) {
      const details = { group: rbacGroup, kind: resource.slice(0, -1), name: roleRef.name };
      throw new ApiError('NotFound', roleNotFound(roleRef), details);
    }
    requireHeld(request, rules);
  }

  return {
    concerns: ({ type }, operation, subresource) =>
      type.group === rbacGroup && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
    mutate: async ({ object }) => object,
    async validate(request) {
      const { context, object, oldObject, resource } = request;
      if (!object || context.user.groups.includes('system:masters')) return;
      if (oldObject && isForCollector(object, oldObject)) return;
      if (roleKinds.includes(resource.type.resource)) await checkRole(request);
      if (bindingKinds.includes(resource.type.resource)) await checkBinding(request);
    },
  };
}

const refusal = ({ resource, name = '' }: AdmissionRequest, why: string): ApiError =>
  forbidden({ group: rbacGroup, resource: resource.type.resource, name }, why);

const gathers = (role: ClusterRole | undefined): boolean =>
  !!role?.aggregationRule?.clusterRoleSelectors?.length;

/** Whether only that changes which the garbage collector has to change. */
const isForCollector = (object: KubeObject, old: KubeObject): boolean =>
  isDeepStrictEqual(withoutOwners(object), withoutOwners(old));

function withoutOwners({ metadata, ...rest }: KubeObject): object {
  const { ownerReferences: _o, finalizers: _f, managedFields: _m, resourceVersion: _r, ...kept } = metadata;
  return JSON.parse(JSON.stringify({ ...rest, kept }));
}
