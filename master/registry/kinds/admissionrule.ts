/**
 * What webhooks and admission policies share: rules of operations and resources, match conditions, failure policies.
 * Defaults and validation in the words of kube-apiserver. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsSubdomainErrors, labelKeyErrors } from '../../../src/api/names.js';
import type { MatchCondition, RuleWithOperations } from '../../../src/api/types.js';
import { type ExpressionOptions, problemOf } from '../../admission/expressions.js';
import { allInvalid, duplicate, invalidValue, oneOf, required } from '../validation/field.js';

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const scopes = ['*', 'Cluster', 'Namespaced'];
const maxConditions = 64;

export const failurePolicies = ['Fail', 'Ignore'];
export const matchPolicies = ['Equivalent', 'Exact'];
export const reinvocationPolicies = ['IfNeeded', 'Never'];

export const withScope = <R extends RuleWithOperations>(rule: R): R => ({
  ...rule,
  scope: rule.scope ?? '*',
});

/** A list where `*` must stand alone. */
function validateList(
  field: string,
  list: readonly string[],
  others: string,
  each: (path: string, item: string) => FieldError[],
): FieldError[] {
  if (list.length === 0) return [required(field)];
  const errors = list.flatMap((item, index) => each(`${field}[${index}]`, item));
  return list.length > 1 && list.includes('*')
    ? [...errors, invalidValue(field, list, `if '*' is present, must not specify other ${others}`)]
    : errors;
}

export function validateRule(
  path: string,
  rule: RuleWithOperations,
  allowed: readonly string[] = operations,
): FieldError[] {
  const notEmpty = (field: string, item: string): FieldError[] => (item === '' ? [required(field)] : []);
  return [
    ...validateList(`${path}.operations`, rule.operations ?? [], 'operations', (field, item) =>
      oneOf(field, item, allowed),
    ),
    ...validateList(`${path}.apiGroups`, rule.apiGroups ?? [], 'API groups', () => []),
    ...validateList(`${path}.apiVersions`, rule.apiVersions ?? [], 'API versions', notEmpty),
    ...validateResources(`${path}.resources`, rule.resources ?? []),
    ...oneOf(`${path}.scope`, rule.scope, scopes),
  ];
}

/** Wildcards must not overlap with what else is listed. */
function validateResources(field: string, resources: readonly string[]): FieldError[] {
  if (resources.length === 0) return [required(field)];
  const errors: FieldError[] = [];
  const withAllSubresources = new Set<string>();
  const subresourcesOfAll = new Set<string>();
  for (const [index, item] of resources.entries()) {
    const at = `${field}[${index}]`;
    if (item === '') {
      errors.push(required(at));
      continue;
    }
    if (item === '*/*') withAllSubresources.add('*');
    const [main = '', sub] = split(item);
    if (withAllSubresources.has(main) && sub !== '*' && sub !== undefined)
      errors.push(invalidValue(at, item, `if '${main}/*' is present, must not specify ${item}`));
    if (sub !== undefined && subresourcesOfAll.has(sub) && main !== '*')
      errors.push(invalidValue(at, item, `if '*/${sub}' is present, must not specify ${item}`));
    if (sub === '*') withAllSubresources.add(main);
    if (main === '*' && sub !== undefined) subresourcesOfAll.add(sub);
  }
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalidValue(field, resources, "if '*/*' is present, must not specify other resources"));
  const plain = resources.filter((item) => !item.includes('/'));
  if (plain.length > 1 && plain.includes('*')) {
    const detail = "if '*' is present, must not specify other resources without subresources";
    errors.push(invalidValue(field, resources, detail));
  }
  return errors;
}

function split(item: string): [string, string | undefined] {
  const slash = item.indexOf('/');
  return slash < 0 ? [item, undefined] : [item.slice(0, slash), item.slice(slash + 1)];
}

export function validateMatchConditions(
  field: string,
  conditions: readonly MatchCondition[] | undefined,
  variables: readonly string[],
): FieldError[] {
  const list = conditions ?? [];
  const errors: FieldError[] = [];
  if (list.length > maxConditions)
    errors.push({ type: 'TooMany', field, detail: `must have at most ${maxConditions} items` });
  const names = new Set<string>();
  for (const [index, { name = '', expression = '' }] of list.entries()) {
    const at = `${field}[${index}]`;
    errors.push(...validateExpression(`${at}.expression`, expression, { variables, result: 'bool' }));
    if (name === '') {
      errors.push(required(`${at}.name`));
      continue;
    }
    errors.push(...allInvalid(`${at}.name`, name, labelKeyErrors(name)));
    if (names.has(name)) errors.push(duplicate(`${at}.name`, name));
    names.add(name);
  }
  return errors;
}

export function validateExpression(
  field: string,
  expression: string,
  options: ExpressionOptions,
): FieldError[] {
  if (expression.trim() === '') return [required(field)];
  const problem = problemOf(expression, options);
  return problem === undefined ? [] : [invalidValue(field, expression, problem)];
}

/** At least three segments: `policy.example.com`. */
export function validateQualifiedName(field: string, name: string): FieldError[] {
  if (name === '') return [required(field)];
  const errors = dnsSubdomainErrors(name);
  if (errors.length > 0) return allInvalid(field, name, errors);
  return name.split('.').length < 3
    ? [invalidValue(field, name, 'should be a domain with at least three segments separated by dots')]
    : [];
}
