/**
 * 2. Which requests a webhook or a policy wants: rules of groups, versions, resources and operations. Pure.
 *
 * Requests for other served versions of the same kind count under `matchPolicy: Equivalent`; the object is then shown in
 * the version that the rule names. Nobody sees writes of the objects that configure admission itself: a broken one could
 * never be mended else.
 */
import type { RuleWithOperations } from '../../src/api/types.js';
import type { Operation } from '../registry/admission.js';
import { storedRow } from '../registry/views.js';
import type { Resource } from '../resources/resource.js';

/** A rule of webhooks, or of policies, which may list names too. */
export interface Rule extends RuleWithOperations {
  resourceNames?: string[] | undefined;
}

/** What rules are compared with. */
export interface Target {
  operation: Operation;
  subresource: string;
  /** Undefined or '' while a generated name is not made yet. */
  name: string | undefined;
}

const admissionGroup = 'admissionregistration.k8s.io';
/** Answered, never stored, and asked by admission itself. */
const reviewGroups: readonly string[] = ['authentication.k8s.io', 'authorization.k8s.io'];

/** True for what no webhook and no policy ever sees. */
export const isExempt = ({ type, verbs }: Resource): boolean =>
  type.group === admissionGroup || (verbs !== undefined && reviewGroups.includes(type.group));

const has = (list: readonly string[] | undefined, wanted: string): boolean =>
  list?.some((item) => item === '*' || item === wanted) ?? false;

function hasResource(list: readonly string[] | undefined, resource: string, subresource: string): boolean {
  return (
    list?.some((item) => {
      const slash = item.indexOf('/');
      const [main, sub] = slash < 0 ? [item, ''] : [item.slice(0, slash), item.slice(slash + 1)];
      return (main === '*' || main === resource) && (sub === '*' || sub === subresource);
    }) ?? false
  );
}

function hasScope(scope: string | undefined, namespaced: boolean): boolean {
  if (scope === undefined || scope === '*') return true;
  return scope === (namespaced ? 'Namespaced' : 'Cluster');
}

/** Whether the rule names this row; `resourceNames` aside. */
export const ruleCovers = (
  rule: Rule,
  { type }: Resource,
  { operation, subresource }: Pick<Target, 'operation' | 'subresource'>,
): boolean =>
  has(rule.operations, operation) &&
  has(rule.apiGroups, type.group) &&
  has(rule.apiVersions, type.version) &&
  hasResource(rule.resources, type.resource, subresource) &&
  hasScope(rule.scope, type.namespaced);

const allowsName = ({ resourceNames }: Rule, { name }: Target): boolean =>
  !resourceNames?.length || resourceNames.includes(name ?? '');

/** The other served versions of the same objects. */
export function equivalentsOf(rows: readonly Resource[], resource: Resource): Resource[] {
  const stored = storedRow(resource);
  return rows.filter((row) => row !== resource && storedRow(row) === stored);
}

/**
 * The row in whose version the request is to be shown; `undefined` when no rule wants it. Exact matches go before
 * equivalent ones, earlier rules before later ones.
 */
export function matchRules(
  rules: readonly Rule[] | undefined,
  resource: Resource,
  target: Target,
  equivalents: readonly Resource[],
): Resource | undefined {
  const wants = (row: Resource) => (rule: Rule) => ruleCovers(rule, row, target) && allowsName(rule, target);
  if (rules?.some(wants(resource))) return resource;
  for (const rule of rules ?? []) {
    const found = equivalents.find((row) => wants(row)(rule));
    if (found) return found;
  }
  return undefined;
}
