/**
 * What nobody may have without a quota that covers it: `limitedResources` of the plugin's configuration, such as "pods of
 * the priority class system-critical only where a quota allows for them". Pure.
 */
import type { ResourceQuota } from '../../../../src/api/types.js';
import { documentOf, fieldsOf } from '../../configuration.js';
import { nonZero, without } from './amounts.js';
import { type Demand, usageFor } from './charge.js';
import { type Requirement, requirementsOf } from './scopes.js';

export interface Limited {
  group: string;
  resource: string;
  /** Parts of names of resources in quotas: `.storageclass.storage.k8s.io/requests.storage`. */
  contains: readonly string[];
  scopes: readonly Requirement[];
}

const versions = [
  'apiserver.config.k8s.io/v1',
  'resourcequota.admission.k8s.io/v1',
  'resourcequota.admission.k8s.io/v1beta1',
];

/** Nothing is limited without a configuration. Throws an `Error` that says what is wrong with it. */
export function limitedOf(configuration: unknown): readonly Limited[] {
  if (configuration === undefined || configuration === null) return [];
  const kind =
    fieldsOfAny(configuration)['kind'] === 'Configuration' ? 'Configuration' : 'ResourceQuotaConfiguration';
  const { limitedResources } = documentOf(configuration, kind, versions, ['limitedResources']);
  return listOf(limitedResources, 'limitedResources').map((one) => {
    const path = 'limitedResources[]';
    const fields = fieldsOf(one, path, ['apiGroup', 'resource', 'matchContains', 'matchScopes']);
    const resource = textOf(fields['resource'], `${path}.resource`);
    if (resource === '') throw new Error(`${path}.resource is missing`);
    return {
      group: textOf(fields['apiGroup'], `${path}.apiGroup`),
      resource,
      contains: listOf(fields['matchContains'], `${path}.matchContains`).map((text) =>
        textOf(text, `${path}.matchContains[]`),
      ),
      scopes: listOf(fields['matchScopes'], `${path}.matchScopes`).map(scopeOf),
    };
  });
}

function scopeOf(value: unknown): Requirement {
  const path = 'limitedResources[].matchScopes[]';
  const fields = fieldsOf(value, path, ['scopeName', 'operator', 'values']);
  return {
    scopeName: textOf(fields['scopeName'], `${path}.scopeName`),
    operator: textOf(fields['operator'], `${path}.operator`),
    values: listOf(fields['values'], `${path}.values`).map((text) => textOf(text, `${path}.values[]`)),
  };
}

const fieldsOfAny = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {};

function listOf(value: unknown, path: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${path} must be a list`);
  return value;
}

function textOf(value: unknown, path: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new Error(`${path} must be a text`);
  return value;
}

/** Why the quotas of the namespace do not let the object have what is limited; undefined when they do. */
export function uncovered(
  limited: readonly Limited[],
  quotas: readonly ResourceQuota[],
  { evaluator, object, old }: Demand,
  now: Date,
): string | undefined {
  const growth = nonZero(without(evaluator.usage(object, now), old ? evaluator.usage(old, now) : {}));
  if (Object.keys(growth).length === 0) return undefined;
  const covered = new Set(
    quotas.flatMap((quota) =>
      Object.keys(usageFor(quota, evaluator, object, now)).filter((name) => quota.status?.hard?.[name]),
    ),
  );
  const names = Object.keys(growth).filter(
    (name) =>
      limited.some(({ contains }) => contains.some((part) => name.includes(part))) && !covered.has(name),
  );
  if (names.length > 0) return `insufficient quota to consume: ${names.sort().join(',')}`;
  const matches = (requirement: Requirement): boolean => evaluator.isInScope(object, requirement);
  const allowed = quotas.flatMap(({ spec }) => requirementsOf(spec).filter(matches));
  const scopes = limited
    .flatMap((one) => one.scopes)
    .filter(matches)
    .filter(({ scopeName }) => !allowed.some((requirement) => requirement.scopeName === scopeName));
  if (scopes.length === 0) return undefined;
  const texts = scopes.map(
    ({ scopeName, operator, values = [] }) => `{${scopeName} ${operator} [${values.join(' ')}]}`,
  );
  return `insufficient quota to match these scopes: [${texts.join(' ')}]`;
}
