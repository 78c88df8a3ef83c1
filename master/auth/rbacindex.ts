/**
 * The roles and bindings of the cluster, arranged so that a decision looks only at the bindings of the one who asks: by
 * scope, then by user or group. `rbac.ts` tells it every change; a decision reads nothing else and allocates almost
 * nothing. Bindings of all namespaces come first, as in Kubernetes, and the first rule that allows ends it.
 */
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../src/api/types.js';
import type { User } from '../registry/registry.js';
import type { Attributes, Decision } from './auth.js';
import { serviceAccountName } from './claims.js';
import { allowsRequest } from './rbacmatch.js';

export const rbacGroup = 'rbac.authorization.k8s.io';

export type AnyRole = Role | ClusterRole;
export type AnyBinding = RoleBinding | ClusterRoleBinding;

/** One subject of one binding. */
interface Bound {
  roleKey: string;
  /** What is said when the role does not exist. */
  missing: string;
  /** The answer when a rule of the role allows. */
  granted: Decision;
}

/** By the name of the user or group, then by the binding. */
interface Scope {
  users: Map<string, Map<string, Bound>>;
  groups: Map<string, Map<string, Bound>>;
}

export interface HeldRules {
  rules: PolicyRule[];
  /** Why there may be more. */
  errors: string[];
}

const everywhere = '';
const noProblems: string[] = [];
const denied: Decision = { allowed: false, reason: '' };

export class RbacIndex {
  readonly #rules = new Map<string, readonly PolicyRule[]>();
  readonly #scopes = new Map<string, Scope>();

  /** `current` is undefined when the role went. */
  changeRole(old: AnyRole | undefined, current: AnyRole | undefined): void {
    if (current) this.#rules.set(keyOfRole(current.metadata), current.rules ?? []);
    else if (old) this.#rules.delete(keyOfRole(old.metadata));
  }

  changeBinding(old: AnyBinding | undefined, current: AnyBinding | undefined): void {
    for (const subject of old?.subjects ?? []) this.#unbind(old as AnyBinding, subject);
    for (const subject of current?.subjects ?? []) this.#bind(current as AnyBinding, subject);
  }

  decide(request: Attributes): Decision {
    let problems: string[] = noProblems;
    const namespace = request.path === undefined ? request.namespace : undefined;
    for (const { roleKey, missing, granted } of this.#boundTo(request.user, namespace)) {
      const rules = this.#rules.get(roleKey);
      if (!rules) problems = [...problems, missing];
      else for (const rule of rules) if (allowsRequest(rule, request)) return granted;
    }
    return problems === noProblems ? denied : { allowed: false, reason: `RBAC: ${joinProblems(problems)}` };
  }

  /** Everything the user may do in the namespace; without one, everywhere. */
  held(user: User, namespace: string | undefined): HeldRules {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    for (const bound of this.#boundTo(user, namespace)) {
      const found = this.#rules.get(bound.roleKey);
      if (found) rules.push(...found);
      else errors.push(bound.missing);
    }
    return { rules, errors };
  }

  /** `undefined` when there is no such role. */
  rulesOf(roleRef: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#rules.get(keyOfRef(roleRef, namespace));
  }

  *#boundTo({ name, groups }: User, namespace: string | undefined): Generator<Bound> {
    yield* boundIn(this.#scopes.get(everywhere), name, groups);
    if (namespace) yield* boundIn(this.#scopes.get(namespace), name, groups);
  }

  #bind(binding: AnyBinding, subject: Subject): void {
    const place = placeOf(binding, subject);
    if (!place) return;
    const { namespace = everywhere } = binding.metadata;
    const scope = this.#scopes.get(namespace) ?? { users: new Map(), groups: new Map() };
    this.#scopes.set(namespace, scope);
    const bindings = scope[place.kind].get(place.name) ?? new Map<string, Bound>();
    scope[place.kind].set(place.name, bindings);
    bindings.set(keyOfBinding(binding, subject), {
      roleKey: keyOfRef(binding.roleRef, binding.metadata.namespace),
      missing: roleNotFound(binding.roleRef),
      granted: { allowed: true, reason: `RBAC: allowed by ${describeBinding(binding, subject)}` },
    });
  }

  #unbind(binding: AnyBinding, subject: Subject): void {
    const place = placeOf(binding, subject);
    const { namespace = everywhere } = binding.metadata;
    const scope = this.#scopes.get(namespace);
    if (!place || !scope) return;
    const bindings = scope[place.kind].get(place.name);
    bindings?.delete(keyOfBinding(binding, subject));
    if (bindings?.size === 0) scope[place.kind].delete(place.name);
    if (scope.users.size + scope.groups.size === 0) this.#scopes.delete(namespace);
  }
}

function* boundIn(scope: Scope | undefined, name: string, groups: readonly string[]): Generator<Bound> {
  if (!scope) return;
  const ofUser = scope.users.get(name);
  if (ofUser) yield* ofUser.values();
  for (const group of groups) {
    const ofGroup = scope.groups.get(group);
    if (ofGroup) yield* ofGroup.values();
  }
}

/** A service account of a RoleBinding that names no namespace is one of the binding's. */
function placeOf(binding: AnyBinding, subject: Subject): { kind: keyof Scope; name: string } | undefined {
  switch (subject.kind) {
    case 'User':
      return { kind: 'users', name: subject.name };
    case 'Group':
      return { kind: 'groups', name: subject.name };
    case 'ServiceAccount': {
      const namespace = subject.namespace || binding.metadata.namespace;
      return namespace ? { kind: 'users', name: serviceAccountName(namespace, subject.name) } : undefined;
    }
    default:
      return undefined;
  }
}

const keyOfRole = ({ namespace = '', name = '' }: AnyRole['metadata']): string => `${namespace}/${name}`;

const keyOfRef = ({ kind, name }: RoleRef, namespace: string | undefined): string =>
  `${kind === 'Role' ? (namespace ?? '') : ''}/${name}`;

const keyOfBinding = ({ metadata }: AnyBinding, { kind, namespace = '', name }: Subject): string =>
  `${metadata.name} ${kind} ${namespace} ${name}`;

/** In the words of kube-apiserver. */
export const roleNotFound = ({ kind, name }: RoleRef): string =>
  `${kind.toLowerCase()}.${rbacGroup} ${JSON.stringify(name)} not found`;

export function joinProblems(problems: readonly string[]): string {
  const different = [...new Set(problems)];
  return different.length === 1 ? (different[0] ?? '') : `[${different.join(', ')}]`;
}

function describeBinding({ metadata, roleRef }: AnyBinding, subject: Subject): string {
  const { name = '', namespace } = metadata;
  const binding = namespace
    ? `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`
    : `ClusterRoleBinding ${JSON.stringify(name)}`;
  const account = `${subject.name}/${subject.namespace || namespace}`;
  const who = subject.kind === 'ServiceAccount' ? account : subject.name;
  const role = `${roleRef.kind} ${JSON.stringify(roleRef.name)}`;
  return `${binding} of ${role} to ${subject.kind} ${JSON.stringify(who)}`;
}
