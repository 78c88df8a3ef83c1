/**
 * The default roles and bindings as objects, and how they are kept: at each start what is missing of them is added, what
 * people added to them stays, and those annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` are left alone,
 * as Kubernetes documents it. Called by `rbac.ts` in the background, once the API answers.
 *
 * Deciding is pure (`planRole`, `planBinding`); `ensureDefaults` reads, plans and writes all of them at a time.
 */

import {
  clusterRoleBindings,
  clusterRoles,
  type ResourceType,
  roleBindings,
  roles,
} from '../../src/api/kinds.js';
import { refOf } from '../../src/api/meta.js';
import type { ClusterRole, KubeObject, ObjectMeta, Subject } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { ifFound } from '../../src/client/found.js';
import { defaultBindings } from './rbacbindings.js';
import { controllerRules } from './rbaccontrollers.js';
import { missingRights } from './rbaccover.js';
import { gatheredRules } from './rbacgather.js';
import { type AnyBinding, type AnyRole, rbacGroup } from './rbacindex.js';
import { defaultRoles } from './rbacroles.js';
import { accounts, type BindingRow, type RoleRow } from './rbacrow.js';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const controller = (name: string): string => `system:controller:${name}`;

type Writer = Pick<Client, 'get' | 'create' | 'update' | 'delete'>;

interface Wanted<T extends KubeObject> {
  type: ResourceType<T>;
  object: T;
  plan(wanted: T, found: T | undefined): DefaultStep<T>;
}

export type DefaultStep<T extends KubeObject> =
  | { do: 'nothing' }
  | { do: 'create'; object: T }
  | { do: 'update'; object: T }
  /** What may not be changed is made anew. */
  | { do: 'replace'; object: T };

export interface Defaults {
  roles: AnyRole[];
  bindings: AnyBinding[];
}

/** Pure. The gathering roles have their rules already: who is bound to them need not wait for the controller. */
export function defaultObjects(): Defaults {
  const roleRows: RoleRow[] = [
    ...defaultRoles,
    ...Object.entries(controllerRules).map(([name, rules]) => ({ name: controller(name), rules })),
  ];
  const bindingRows: BindingRow[] = [
    ...defaultBindings,
    ...Object.keys(controllerRules).map((name) => ({
      ...{ name: controller(name), role: controller(name), subjects: accounts(name) },
    })),
  ];
  const made = roleRows.map(roleOf);
  for (const name of ['view', 'edit', 'admin']) {
    const role = made.find(({ metadata }) => metadata.name === name);
    if (role) role.rules = gatheredRules(role, made) ?? [];
  }
  return { roles: made, bindings: bindingRows.map(bindingOf) };
}

const metadataOf = ({ name, namespace }: { name: string; namespace?: string }): ObjectMeta => ({
  name,
  ...(namespace && { namespace }),
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
  annotations: { [autoUpdate]: 'true' },
});

const gathering = (name: string): Record<string, string> => ({
  [`${rbacGroup}/aggregate-to-${name}`]: 'true',
});

function roleOf(row: RoleRow): ClusterRole {
  const metadata = metadataOf(row);
  if (row.partOf) metadata.labels = { ...metadata.labels, ...gathering(row.partOf) };
  const aggregationRule = { clusterRoleSelectors: [{ matchLabels: gathering(row.name) }] };
  return { metadata, rules: [...row.rules], ...(row.isGathered && { aggregationRule }) };
}

function bindingOf(row: BindingRow): AnyBinding {
  const roleRef = { apiGroup: rbacGroup, kind: row.roleKind ?? 'ClusterRole', name: row.role };
  return { metadata: metadataOf(row), roleRef, subjects: [...row.subjects] };
}

const isLeftAlone = ({ metadata }: KubeObject): boolean => metadata.annotations?.[autoUpdate] === 'false';

const lacks = (found: Record<string, string> | undefined, wanted: Record<string, string> = {}): boolean =>
  Object.entries(wanted).some(([key, value]) => found?.[key] !== value);

const lacksMetadata = (found: ObjectMeta, wanted: ObjectMeta): boolean =>
  lacks(found.labels, wanted.labels) || lacks(found.annotations, wanted.annotations);

const completed = (found: ObjectMeta, wanted: ObjectMeta): ObjectMeta => ({
  ...found,
  labels: { ...found.labels, ...wanted.labels },
  annotations: { ...found.annotations, ...wanted.annotations },
});

/** Pure. The rules of a gathering role are its controller's. */
export function planRole(wanted: ClusterRole, found: ClusterRole | undefined): DefaultStep<ClusterRole> {
  if (!found) return { do: 'create', object: wanted };
  if (isLeftAlone(found)) return { do: 'nothing' };
  const metadata = completed(found.metadata, wanted.metadata);
  const lacksLabels = lacksMetadata(found.metadata, wanted.metadata);
  if (wanted.aggregationRule) {
    const present = found.aggregationRule?.clusterRoleSelectors ?? [];
    const known = new Set(present.map((selector) => JSON.stringify(selector)));
    const missing = (wanted.aggregationRule.clusterRoleSelectors ?? []).filter(
      (selector) => !known.has(JSON.stringify(selector)),
    );
    if (!lacksLabels && missing.length === 0) return { do: 'nothing' };
    const aggregationRule = { ...found.aggregationRule, clusterRoleSelectors: [...present, ...missing] };
    return { do: 'update', object: { ...found, metadata, aggregationRule } };
  }
  const rules = found.rules ?? [];
  const missing = missingRights(rules, wanted.rules ?? []);
  if (!lacksLabels && missing.length === 0) return { do: 'nothing' };
  return { do: 'update', object: { ...found, metadata, rules: [...rules, ...missing] } };
}

const sameSubject = (a: Subject, b: Subject): boolean =>
  a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');

/** Pure. The role of a binding cannot be changed. */
export function planBinding(wanted: AnyBinding, found: AnyBinding | undefined): DefaultStep<AnyBinding> {
  if (!found) return { do: 'create', object: wanted };
  if (isLeftAlone(found)) return { do: 'nothing' };
  const { kind, name } = wanted.roleRef;
  if (found.roleRef.kind !== kind || found.roleRef.name !== name) return { do: 'replace', object: wanted };
  const present = found.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter((one) => !present.some((other) => sameSubject(one, other)));
  if (missing.length === 0 && !lacksMetadata(found.metadata, wanted.metadata)) return { do: 'nothing' };
  const metadata = completed(found.metadata, wanted.metadata);
  return { do: 'update', object: { ...found, metadata, subjects: [...present, ...missing] } };
}

/** All at a time. Rejects with what the API refuses with; may be called again. */
export async function ensureDefaults(
  client: Writer,
  { roles: wantedRoles, bindings }: Defaults,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([
    ...wantedRoles.map((object) => {
      const type = (object.metadata.namespace ? roles : clusterRoles) as ResourceType<ClusterRole>;
      return ensure(client, { type, object, plan: planRole }, signal);
    }),
    ...bindings.map((object) => {
      const type: ResourceType<AnyBinding> = object.metadata.namespace ? roleBindings : clusterRoleBindings;
      return ensure(client, { type, object, plan: planBinding }, signal);
    }),
  ]);
}

async function ensure<T extends KubeObject>(
  client: Writer,
  { type, object, plan }: Wanted<T>,
  signal: AbortSignal,
): Promise<void> {
  const step = plan(object, await ifFound(client.get(type, refOf(object), { signal })));
  switch (step.do) {
    case 'nothing':
      return;
    case 'update':
      await client.update(type, step.object, { signal });
      return;
    case 'replace':
      await client.delete(type, refOf(step.object), { signal });
      await client.create(type, step.object, { signal });
      return;
    case 'create':
      await client.create(type, step.object, { signal });
      return;
  }
}
