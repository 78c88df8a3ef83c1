/** The strategy of ResourceQuotas. Pure. Rules, paths and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import type {
  ResourceQuota,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { immutable, invalidValue, required } from '../validation/field.js';
import { isPodResource, isQuotaName, validateQuantity, validateQuotaName } from './resourcename.js';

const valueless = [
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'CrossNamespacePodAffinity',
];
const scopes = [...valueless, 'PriorityClass', 'VolumeAttributesClass'];
const opposites: readonly (readonly [string, string])[] = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
];

export const resourceQuotaStrategy: Strategy<ResourceQuota> = {
  generation: false,
  prepareForCreate: (_context, quota) => ({ ...quota, status: {} }),
  validate: ({ spec = {} }) => [
    ...validateAmounts('spec.hard', spec.hard),
    ...validateScopes(spec),
    ...validateSelector(spec),
  ],
  validateUpdate: ({ spec }, { spec: old }) => {
    const [now, before] = [spec?.scopes ?? [], old?.scopes ?? []].map((list) => [...list].sort().join());
    return now === before ? [] : [invalidValue('spec.scopes', spec?.scopes ?? null, immutable)];
  },
  validateStatusUpdate: ({ status }) => [
    ...validateAmounts('status.hard', status?.hard),
    ...validateAmounts('status.used', status?.used),
  ],
};

const validateAmounts = (field: string, list: Record<string, string> | undefined): FieldError[] =>
  Object.entries(list ?? {}).flatMap(([name, amount]) => [
    ...validateQuotaName(`${field}[${name}]`, name),
    ...validateQuantity(`${field}[${name}]`, name, amount),
  ]);

/** Whether a quota on this resource can tell what the scope tells apart. */
function fits(scope: string, resource: string): boolean {
  if (!isQuotaName(resource)) return true;
  if (scope === 'VolumeAttributesClass')
    return resource === 'persistentvolumeclaims' || resource === 'requests.storage';
  if (scope === 'BestEffort') return resource === 'pods';
  return isPodResource(resource) || !scopes.includes(scope);
}

function validateScopes({ scopes: given = [], hard = {} }: ResourceQuotaSpec): FieldError[] {
  const invalid = (detail: string): FieldError => invalidValue('spec.scopes', given, detail);
  return [
    ...given.flatMap((scope) => [
      ...(scopes.includes(scope) ? [] : [invalid('unsupported scope')]),
      ...Object.keys(hard)
        .filter((name) => !fits(scope, name))
        .map(() => invalid('unsupported scope applied to resource')),
    ]),
    ...conflicts(given).map(invalid),
  ];
}

const conflicts = (given: readonly string[]): string[] =>
  opposites.flatMap(([a, b]) => (given.includes(a) && given.includes(b) ? ['conflicting scopes'] : []));

const field = 'spec.scopeSelector.matchExpressions';

function validateSelector({ scopeSelector, scopes: given, hard = {} }: ResourceQuotaSpec): FieldError[] {
  const requirements = scopeSelector?.matchExpressions ?? [];
  return [
    ...requirements.flatMap((one) => [
      ...(scopes.includes(one.scopeName)
        ? []
        : [invalidValue(`${field}.scopeName`, one.scopeName ?? '', 'unsupported scope')]),
      ...Object.keys(hard)
        .filter((name) => !fits(one.scopeName, name))
        .map(() => invalidValue(field, scopeSelector, 'unsupported scope applied to resource')),
      ...validateOperator(one),
    ]),
    ...conflicts(requirements.map(({ scopeName }) => scopeName)).map((detail) =>
      invalidValue(field, given ?? null, detail),
    ),
  ];
}

function validateOperator(requirement: ScopedResourceSelectorRequirement): FieldError[] {
  const { scopeName, operator = '', values = [] } = requirement;
  const errors: FieldError[] = [];
  if (valueless.includes(scopeName) && operator !== 'Exists') {
    const detail =
      "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";
    errors.push(invalidValue(`${field}.operator`, operator, detail));
  }
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length > 0) return errors;
      return [
        ...errors,
        required(
          `${field}.values`,
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
      ];
    case 'Exists':
    case 'DoesNotExist':
      if (values.length === 0) return errors;
      return [
        ...errors,
        invalidValue(
          `${field}.values`,
          values,
          "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
        ),
      ];
    default:
      return [...errors, invalidValue(`${field}.operator`, operator, 'not a valid selector operator')];
  }
}
